"""How an attempt to deliver ended, as frozen data; the senders make it, `schedule` reads it.

`error` is a stable word that the owner of the delivery gets to see. It never holds a
host, an address or what the other side said.
"""

from dataclasses import dataclass
from datetime import timedelta
from enum import Enum, auto


class Verdict(Enum):
    ACCEPTED = auto()
    """The receiver has it."""
    FAILED = auto()
    """May pass: try again later."""
    BLOCKED = auto()
    """A rule of ours forbids the address it leads to."""
    REFUSED = auto()
    """The receiver will never take it."""
    GONE = auto()
    """The endpoint asks for nothing more, ever (410)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    verdict: Verdict
    code: int | None = None
    """The status that came back, if one did."""
    error: str | None = None
    retry_after: timedelta | None = None
    is_doubtful: bool = False
    """It may have been accepted though no answer came: repeat it a few times only."""
    is_our_fault: bool = False
    """It says nothing of the receiver, and counts towards no endpoint's end."""
    shows_life: bool = True
    """The receiver answered in time; False counts towards resting its lane."""


def failed(error: str, *, code: int | None = None, shows_life: bool = False) -> Outcome:
    """The common failure: it may pass, and says nothing good of the receiver."""
    return Outcome(
        verdict=Verdict.FAILED, code=code, error=error, shows_life=shows_life
    )


def blocked(error: str) -> Outcome:
    return Outcome(verdict=Verdict.BLOCKED, error=error)
