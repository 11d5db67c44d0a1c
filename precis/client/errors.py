"""What can go wrong for who calls the service.

    PrecisError
    ├── NotReachable       no answer: wrong address, service down, connection lost
    ├── AnswerGarbled      an answer, but not one that Precis gives
    ├── JobFailed          the job ended without a summary; carries it
    └── Refused            an answer that says no; carries the problem document
        ├── InvalidRequest     400, 405, 414, 415, 422: sending it again is no use
        ├── Unauthorized       401: no key, a wrong one, or one that is revoked
        ├── Forbidden          403
        ├── NotFound           404: no such summary, or not yours
        ├── Conflict           409
        │   ├── NotFinished        asked for a result before there is one
        │   └── NoResult           it ended without one
        ├── Gone               410: erased, or past its time
        ├── TooLarge           413
        └── Busy               429, 502, 503, 504: later, after `retry_after`

`NotReachable` and `Busy` come after the client's own retries. Wrong arguments, such
as a deadline without time zone, are `ValueError`s: mistakes of the caller's program.
"""

from collections.abc import Mapping
from datetime import timedelta
from typing import Final

from precis.client.problem import Problem
from precis.client.summary import Summary


class PrecisError(Exception):
    """The base of all that this client raises on purpose."""


class NotReachable(PrecisError):
    """No answer came. Whether the request was carried out is not known."""


class AnswerGarbled(PrecisError):
    """Something answered that does not speak as Precis does."""


class JobFailed(PrecisError):
    """The job ended as failed, cancelled or expired."""

    def __init__(self, summary: Summary) -> None:
        reason = f": {summary.error}" if summary.error else ""
        super().__init__(f"{summary.id} ended as {summary.status}{reason}")
        self.summary = summary


class Refused(PrecisError):
    """The service said no."""

    def __init__(
        self, problem: Problem, *, retry_after: timedelta | None = None
    ) -> None:
        super().__init__(str(problem))
        self.problem = problem
        self.retry_after = retry_after


class InvalidRequest(Refused):
    pass


class Unauthorized(Refused):
    pass


class Forbidden(Refused):
    pass


class NotFound(Refused):
    pass


class Conflict(Refused):
    pass


class NotFinished(Conflict):
    pass


class NoResult(Conflict):
    pass


class Gone(Refused):
    pass


class TooLarge(Refused):
    pass


class Busy(Refused):
    pass


_BY_CODE: Final[Mapping[str, type[Refused]]] = {
    "not_finished": NotFinished,
    "no_result": NoResult,
}
_BY_STATUS: Final[Mapping[int, type[Refused]]] = {
    400: InvalidRequest,
    401: Unauthorized,
    403: Forbidden,
    404: NotFound,
    405: InvalidRequest,
    409: Conflict,
    410: Gone,
    413: TooLarge,
    414: InvalidRequest,
    415: InvalidRequest,
    422: InvalidRequest,
    429: Busy,
    502: Busy,
    503: Busy,
    504: Busy,
}


def refusal(
    status: int, problem: Problem, *, retry_after: timedelta | None = None
) -> Refused:
    """The error for an answer; an unlisted status becomes a plain `Refused`."""
    kind = _BY_STATUS.get(status, Refused)
    if kind is Conflict:
        kind = _BY_CODE.get(problem.code, Conflict)
    return kind(problem, retry_after=retry_after)
