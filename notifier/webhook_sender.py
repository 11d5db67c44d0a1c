"""One attempt to hand an event to a webhook: one request, one outcome, 15 seconds.

Whatever the other side does costs this attempt and nothing else. Why an attempt
failed becomes a stable word for the owner; what the receiver said is not kept.
"""

import asyncio
import ssl
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from http import HTTPStatus
from typing import Final

import httpx

from notifier.guarded_transport import AddressBlocked, GuardedTransport, make_trust
from notifier.name_lookup import NameUnresolved
from notifier.outcomes import Outcome, Verdict, blocked, failed
from notifier.public_addresses import Network
from notifier.signatures import signed_headers
from notifier.webhook_urls import UrlRefused, WebhookUrl, check_webhook_url
from plumbing.backoff import parse_retry_after
from plumbing.clock import Clock
from plumbing.failpoints import DELIVERY_SENT, reach

TIME_LIMIT: Final = timedelta(seconds=15)
_CONNECT_SECONDS: Final = 5.0
"""To one address; a name may have several."""
MAX_ANSWER_BYTES: Final = 64 * 1024
_USER_AGENT: Final = "Precis-Webhooks/1"
_ASKS_FOR_PATIENCE: Final = frozenset({429, 503})
# The receiver itself is in trouble, not merely of another opinion.
_SIGNS_OF_TROUBLE: Final = frozenset({408, 429})


@dataclass(frozen=True, slots=True, kw_only=True)
class SignedEvent:
    """What is sent, and the secrets that sign it, newest first."""

    id: str
    body: bytes
    secrets: tuple[str, ...]


class WebhookSender:
    def __init__(
        self,
        *,
        allow_networks: Sequence[Network],
        clock: Clock,
        time_limit: timedelta = TIME_LIMIT,
    ) -> None:
        self._allow_networks = allow_networks
        self._clock = clock
        self._time_limit = time_limit
        trust = make_trust()
        self._outside = GuardedTransport(
            trust=trust, allow_networks=allow_networks, only_allowed=False
        )
        self._inside = GuardedTransport(
            trust=trust, allow_networks=allow_networks, only_allowed=True
        )

    async def close(self) -> None:
        await self._outside.aclose()
        await self._inside.aclose()

    async def send(self, url: str, event: SignedEvent) -> Outcome:
        """Make one attempt; every way in which it can fail is an outcome."""
        try:
            target = check_webhook_url(url, allow_networks=self._allow_networks)
            async with asyncio.timeout(self._time_limit.total_seconds()):
                return await self._post(target, event)
        except UrlRefused as refusal:
            return blocked(refusal.code)
        except AddressBlocked:
            return blocked("address_blocked")
        except TimeoutError:
            return failed("timeout")
        except (NameUnresolved, httpx.TransportError, httpx.InvalidURL) as error:
            return failed(_word_for(error))

    async def _post(self, target: WebhookUrl, event: SignedEvent) -> Outcome:
        transport = self._inside if target.needs_allowed_network else self._outside
        response = await transport.handle_async_request(self._request(target, event))
        try:
            await _read_some(response)
        finally:
            await response.aclose()
        reach(DELIVERY_SENT, httpx.ReadError)
        return self._judge(response.status_code, response.headers)

    def _request(self, target: WebhookUrl, event: SignedEvent) -> httpx.Request:
        headers = {
            "content-type": "application/json",
            "user-agent": _USER_AGENT,
            "accept-encoding": "identity",
            "connection": "close",
        }
        headers |= signed_headers(
            event.secrets,
            event_id=event.id,
            moment=self._clock.now(),
            body=event.body,
        )
        return httpx.Request(
            "POST",
            target.url,
            headers=headers,
            content=event.body,
            extensions={"timeout": {"connect": _CONNECT_SECONDS}},
        )

    def _judge(self, status: int, headers: Mapping[str, str]) -> Outcome:
        if headers.get("content-encoding", "identity").lower() != "identity":
            return failed("encoding_not_accepted", code=status, shows_life=True)
        if 200 <= status < 300:  # noqa: PLR2004 - the class of success
            return Outcome(verdict=Verdict.ACCEPTED, code=status)
        if status == HTTPStatus.GONE:
            return Outcome(verdict=Verdict.GONE, code=status, error="gone")
        return Outcome(
            verdict=Verdict.FAILED,
            code=status,
            error="redirect_not_followed" if 300 <= status < 400 else "status",  # noqa: PLR2004
            retry_after=self._read_patience(status, headers),
            shows_life=status not in _SIGNS_OF_TROUBLE and status < 500,  # noqa: PLR2004
        )

    def _read_patience(
        self, status: int, headers: Mapping[str, str]
    ) -> timedelta | None:
        asked = headers.get("retry-after")
        if asked is None or status not in _ASKS_FOR_PATIENCE:
            return None
        return parse_retry_after(asked, now=self._clock.now())


async def _read_some(response: httpx.Response) -> None:
    """Let the receiver finish a small answer; nothing of it is decoded or kept."""
    assert isinstance(response.stream, httpx.AsyncByteStream)  # noqa: S101 - for mypy
    read = 0
    async for part in response.stream:
        read += len(part)
        if read >= MAX_ANSWER_BYTES:
            return


def _word_for(error: Exception) -> str:
    if isinstance(error, NameUnresolved):
        return "name_unresolved"
    if _is_tls(error):
        return "tls_failed"
    if isinstance(error, httpx.ConnectError | httpx.ConnectTimeout):
        return "connect_failed"
    if isinstance(error, httpx.ProtocolError):
        return "answer_garbled"
    return "connection_lost"


def _is_tls(error: BaseException | None) -> bool:
    """TLS failures come wrapped twice, as failures to connect."""
    while error is not None:
        if isinstance(error, ssl.SSLError):
            return True
        error = error.__cause__ or error.__context__
    return False
