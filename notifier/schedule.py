"""When a delivery is tried again, and when it is over: a pure decision.

Ten tries over 75 h 35 min, each wait scattered by a fifth so that deliveries that
failed together do not come back together. The database's clock turns the wait into
a time.
"""

from dataclasses import dataclass
from datetime import timedelta
from enum import StrEnum
from typing import Final

from notifier.outcomes import Outcome, Verdict
from plumbing.backoff import around

WAITS: Final = (
    timedelta(seconds=5),
    timedelta(minutes=5),
    timedelta(minutes=30),
    timedelta(hours=2),
    timedelta(hours=5),
    timedelta(hours=10),
    timedelta(hours=14),
    timedelta(hours=20),
    timedelta(hours=24),
)
"""Before the second try, the third, and so on."""
MAX_ATTEMPTS: Final = len(WAITS) + 1
MAX_DOUBTFUL_ATTEMPTS: Final = 3
_LONGEST_ASKED_WAIT: Final = timedelta(hours=24)
_SPREAD: Final = 0.2


class DeliveryState(StrEnum):
    """Where a delivery goes from `sending`; all but `due` are final."""

    DUE = "due"
    DELIVERED = "delivered"
    EXHAUSTED = "exhausted"
    BLOCKED = "blocked"
    REFUSED = "refused"
    CANCELLED = "cancelled"


@dataclass(frozen=True, slots=True, kw_only=True)
class NextStep:
    state: DeliveryState
    wait: timedelta | None = None
    """How long a due delivery waits."""
    disables_endpoint: bool = False


_ENDINGS: Final = {
    Verdict.ACCEPTED: NextStep(state=DeliveryState.DELIVERED),
    Verdict.BLOCKED: NextStep(state=DeliveryState.BLOCKED),
    Verdict.REFUSED: NextStep(state=DeliveryState.REFUSED),
    Verdict.GONE: NextStep(state=DeliveryState.REFUSED, disables_endpoint=True),
}


def next_step(attempt: int, outcome: Outcome, *, doubts: int = 0) -> NextStep:
    """What follows the `attempt`-th try (the first is 1).

    `doubts` counts the earlier tries that may have been accepted; those of notifiers
    that died in the middle are among them, so it may have reached its limit before.
    """
    if outcome.verdict in _ENDINGS:
        return _ENDINGS[outcome.verdict]
    is_over = (
        attempt >= MAX_ATTEMPTS or doubts + outcome.is_doubtful >= MAX_DOUBTFUL_ATTEMPTS
    )
    if is_over:
        return NextStep(state=DeliveryState.EXHAUSTED)
    wait = _wait(WAITS[attempt - 1], outcome.retry_after)
    return NextStep(state=DeliveryState.DUE, wait=wait)


def _wait(base: timedelta, asked: timedelta | None) -> timedelta:
    """The step's wait; longer if the receiver asks, up to twice the step or a day."""
    scattered = around(base, spread=_SPREAD)
    if asked is None:
        return scattered
    return max(scattered, min(asked, 2 * base, _LONGEST_ASKED_WAIT))
