"""What each of the 36 faults has to leave behind: the protocol's word, as data.

Whether an attempt counts follows from where its worker was lost: only what the job may
have caused counts, and an attempt that stored a chunk got somewhere.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Final, Literal

from plumbing.failpoints import (
    CHUNKS_STORED,
    DELIVERIES_CLAIMED,
    DELIVERY_RECORDED,
    DELIVERY_SENT,
    ENDING_BEGUN,
    ENDING_COMMITTED,
    ENGINE_ANSWERED,
    HINTS_HANDED_OVER,
    HINTS_SENT,
    JOBS_CLAIMED,
    MESSAGE_TAKEN,
    OFFSETS_COMMITTED,
    Action,
    Point,
)

Kind = Literal["dispatcher", "worker", "notifier"]
KILL, FREEZE, LOSE = Action.KILL, Action.FREEZE, Action.LOSE_ANSWER


@dataclass(frozen=True, kw_only=True)
class Aftermath:
    """How the jobs and deliveries that the fault met come to their end.

    Every job of a test ends after one attempt, or after two where the fault took
    one from it; so with the deliveries.
    """

    burns: bool = False
    """A job that was held, with no chunk stored by its attempt, has one attempt less."""
    burns_delivery: bool = False
    is_refused: bool = False
    """A frozen process, awake again, finds that what it holds is not its own."""


_UNHARMED: Final = Aftermath()
_WORKER_LOST: Final = Aftermath(burns=True)
_WORKER_ASLEEP: Final = Aftermath(burns=True, is_refused=True)

AFTERMATH: Final[Mapping[Point, Mapping[Action, Aftermath]]] = {
    # The dispatcher knows no job: whatever befalls it costs time only.
    HINTS_SENT: {KILL: _UNHARMED, FREEZE: _UNHARMED, LOSE: _UNHARMED},
    HINTS_HANDED_OVER: {KILL: _UNHARMED, FREEZE: _UNHARMED, LOSE: _UNHARMED},
    OFFSETS_COMMITTED: {KILL: _UNHARMED, FREEZE: _UNHARMED, LOSE: _UNHARMED},
    # Nothing is claimed yet: the hint is lost, the reconciler sends another.
    MESSAGE_TAKEN: {KILL: _UNHARMED, FREEZE: _UNHARMED, LOSE: _UNHARMED},
    # Claimed and never heard of: a worker that lives asks what it has, and lets go of it.
    JOBS_CLAIMED: {KILL: _WORKER_LOST, FREEZE: _WORKER_ASLEEP, LOSE: _UNHARMED},
    # An engine that is away is no fault of the job.
    ENGINE_ANSWERED: {KILL: _WORKER_LOST, FREEZE: _WORKER_ASLEEP, LOSE: _UNHARMED},
    CHUNKS_STORED: {KILL: _WORKER_LOST, FREEZE: _WORKER_ASLEEP, LOSE: _UNHARMED},
    ENDING_BEGUN: {KILL: _WORKER_LOST, FREEZE: _WORKER_ASLEEP, LOSE: _UNHARMED},
    # The ending stands, and only the other jobs of the process are lost.
    ENDING_COMMITTED: {
        KILL: _WORKER_LOST,
        FREEZE: _WORKER_LOST,
        LOSE: _UNHARMED,
    },
    # A lease that lapses repeats the step of a delivery and takes no try from it.
    DELIVERIES_CLAIMED: {
        KILL: _UNHARMED,
        FREEZE: Aftermath(is_refused=True),
        LOSE: _UNHARMED,
    },
    DELIVERY_SENT: {
        KILL: _UNHARMED,
        FREEZE: Aftermath(is_refused=True),
        LOSE: Aftermath(burns_delivery=True),
    },
    DELIVERY_RECORDED: {KILL: _UNHARMED, FREEZE: _UNHARMED, LOSE: _UNHARMED},
}

# The dispatcher comes last, and its kills last of all: Kafka keeps a killed member's
# partitions for a while, and only the dispatcher's tests depend on them. Of these only
# `hints.sent` has to wait for them after its kill, the other two before theirs: between
# the two it waits for both.
POINTS_OF: Final[Mapping[Kind, tuple[Point, ...]]] = {
    "worker": (
        MESSAGE_TAKEN,
        JOBS_CLAIMED,
        ENGINE_ANSWERED,
        CHUNKS_STORED,
        ENDING_BEGUN,
        ENDING_COMMITTED,
    ),
    "notifier": (DELIVERIES_CLAIMED, DELIVERY_SENT, DELIVERY_RECORDED),
    "dispatcher": (OFFSETS_COMMITTED, HINTS_SENT, HINTS_HANDED_OVER),
}


def all_cases() -> Iterator[tuple[Kind, Point, Action]]:
    """By process and then by fault: a killed process costs its neighbours a start."""
    for kind, points in POINTS_OF.items():
        for action in (LOSE, FREEZE, KILL):
            for point in points:
                yield kind, point, action
