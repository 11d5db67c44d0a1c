"""When a request is sent again, and after how long. Pure: who drives it does the waiting.

A request is repeated, as it is, after a lost connection and after an answer that says
"later" (429, 502 to 504, and 409 while the first call of the same idempotency key
still runs). One that must not be carried out twice is repeated only where it surely
was not: it never left, or the service refused it.
"""

import random
from collections.abc import Generator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from typing import Final, TypeAlias, TypeVar

import httpx

from precis.client.errors import NotReachable, Refused, refusal
from precis.client.problem import read_problem
from precis.client.requests import Request


@dataclass(frozen=True, slots=True)
class Send:
    request: Request


@dataclass(frozen=True, slots=True)
class Pause:
    delay: timedelta


Step: TypeAlias = Send | Pause
Reply: TypeAlias = httpx.Response | httpx.RequestError | None
"""To `Send` an answer, or the error that came instead; to `Pause` nothing."""
T = TypeVar("T")
Flow: TypeAlias = Generator[Step, Reply, T]

_LATER: Final = frozenset({429, 502, 503, 504})
_REFUSED_UNDONE: Final = frozenset({429, 503})
_NEVER_LEFT: Final = (httpx.ConnectError, httpx.ConnectTimeout, httpx.PoolTimeout)
_HOPELESS: Final = (httpx.UnsupportedProtocol, httpx.LocalProtocolError)


@dataclass(frozen=True, slots=True, kw_only=True)
class Patience:
    """How often a request is sent, and how long it is waited in between."""

    attempts: int = 8
    base: timedelta = timedelta(seconds=0.5)
    ceiling: timedelta = timedelta(seconds=20)
    longest_retry_after: timedelta = timedelta(seconds=120)
    """A service that names a longer time is not waited for: `Busy` tells the time."""

    def backoff(self, attempt: int) -> timedelta:
        """Any wait up to the doubled base, so that callers do not come back as one."""
        span = min(self.ceiling, self.base * (1 << min(attempt, 30)))
        return random.random() * span  # noqa: S311 - spreads load, guards nothing


def send(request: Request, *, patience: Patience) -> Flow[httpx.Response]:
    """Send until there is an answer that counts, or raise what stood in the way."""
    attempt = 0
    while True:
        reply = yield Send(request)
        attempt += 1
        delay = _delay(request, reply, attempt, patience)
        if delay is None:
            return accept(reply)
        yield Pause(delay)


def accept(reply: Reply) -> httpx.Response:
    """The answer, if it is one that grants what was asked; else the error for it."""
    if isinstance(reply, httpx.RequestError):
        raise NotReachable(_describe(reply)) from reply
    if not isinstance(reply, httpx.Response):
        raise TypeError("a request must be answered with a response or its error")
    if reply.is_success or reply.status_code == httpx.codes.NOT_MODIFIED:
        return reply
    raise _refusal(reply)


def retry_after(answer: httpx.Response) -> timedelta | None:
    """What the service asks for, as seconds or as a date; None if it asks nothing."""
    shown = answer.headers.get("Retry-After", "").strip()
    if shown.isascii() and shown.isdigit():
        return timedelta(seconds=min(float(shown), 1e9))
    try:
        moment = parsedate_to_datetime(shown)
    except ValueError:
        return None
    zoned = moment if moment.tzinfo else moment.replace(tzinfo=UTC)
    return max(timedelta(0), zoned - datetime.now(UTC))


def _delay(
    request: Request, reply: Reply, attempt: int, patience: Patience
) -> timedelta | None:
    """How long to wait before the next attempt; None: take the reply as it is."""
    if attempt >= patience.attempts or not _may_repeat(request, reply):
        return None
    asked = retry_after(reply) if isinstance(reply, httpx.Response) else None
    if asked is None:
        return patience.backoff(attempt - 1)
    return asked if asked <= patience.longest_retry_after else None


def _may_repeat(request: Request, reply: Reply) -> bool:
    if isinstance(reply, httpx.Response):
        status = reply.status_code
        if status == httpx.codes.CONFLICT and "Idempotency-Key" in request.headers:
            return "Retry-After" in reply.headers
        return status in (_LATER if request.is_repeatable else _REFUSED_UNDONE)
    if request.is_repeatable:
        return not isinstance(reply, _HOPELESS)
    return isinstance(reply, _NEVER_LEFT)


def _refusal(answer: httpx.Response) -> Refused:
    try:
        body = answer.json()
    except ValueError:
        body = None
    status = answer.status_code
    problem = read_problem(body if isinstance(body, dict) else {}, status=status)
    return refusal(status, problem, retry_after=retry_after(answer))


def _describe(error: httpx.RequestError) -> str:
    """What went wrong and where, without the query."""
    try:
        place = f"{error.request.url.scheme}://{error.request.url.netloc.decode()}"
    except RuntimeError:  # httpx: the error came before there was a request
        place = "the service"
    return f"{place}: {error or type(error).__name__}"
