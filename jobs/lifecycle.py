"""The state machine of a job, as data.

Pure: the operations turn it into the WHERE clause of their UPDATEs, the first
migration repeats it as CHECK constraints, and the tests walk it. Nothing here
knows SQL beyond the spelling of a list of states.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import timedelta
from enum import StrEnum
from typing import Final


class State(StrEnum):
    """Where a job stands."""

    QUEUED = "queued"
    """Waits for a worker."""
    RUNNING = "running"
    """Held by one worker, under a lease and a fence."""
    RETRY_WAIT = "retry_wait"
    """Waits for the time of its next attempt; callers see it as queued."""
    SUCCEEDED = "succeeded"
    FAILED = "failed"
    CANCELLED = "cancelled"
    EXPIRED = "expired"
    """The deadline passed first."""


class Tier(StrEnum):
    REALTIME = "realtime"
    BATCH = "batch"


@dataclass(frozen=True, slots=True)
class Transition:
    source: State | None
    """None: the job does not exist yet."""
    target: State
    cause: str


FINAL: Final = frozenset(
    {State.SUCCEEDED, State.FAILED, State.CANCELLED, State.EXPIRED}
)
WAITING: Final = frozenset({State.QUEUED, State.RETRY_WAIT})

TRANSITIONS: Final = (
    Transition(None, State.QUEUED, "submit"),
    Transition(None, State.SUCCEEDED, "answer"),
    Transition(State.QUEUED, State.RUNNING, "claim"),
    Transition(State.RUNNING, State.RUNNING, "heartbeat"),
    Transition(State.RUNNING, State.SUCCEEDED, "leave"),
    Transition(State.RUNNING, State.FAILED, "leave"),
    Transition(State.RUNNING, State.RETRY_WAIT, "leave"),
    Transition(State.RUNNING, State.QUEUED, "leave"),
    Transition(State.RUNNING, State.CANCELLED, "leave"),
    Transition(State.RUNNING, State.EXPIRED, "leave"),
    Transition(State.RETRY_WAIT, State.QUEUED, "wake"),
    Transition(State.QUEUED, State.CANCELLED, "cancel"),
    Transition(State.RETRY_WAIT, State.CANCELLED, "cancel"),
    Transition(State.QUEUED, State.CANCELLED, "erase"),
    Transition(State.RETRY_WAIT, State.CANCELLED, "erase"),
    Transition(State.RUNNING, State.CANCELLED, "erase"),
    Transition(State.QUEUED, State.EXPIRED, "expire"),
    Transition(State.RETRY_WAIT, State.EXPIRED, "expire"),
    # By an operator's hand: set aside while its tenant is paused, back in line, ended.
    Transition(State.QUEUED, State.QUEUED, "move"),
    Transition(State.QUEUED, State.FAILED, "fail"),
    Transition(State.RETRY_WAIT, State.FAILED, "fail"),
    Transition(State.RUNNING, State.FAILED, "fail"),
)

MAX_ATTEMPTS: Final = 5
DEFAULT_DEADLINE: Final = timedelta(hours=24)
MAX_DEADLINE: Final = timedelta(hours=72)


def sources(cause: str) -> frozenset[State]:
    """The states in which `cause` may take hold."""
    return frozenset(
        step.source
        for step in TRANSITIONS
        if step.cause == cause and step.source is not None
    )


def sql_list(states: Iterable[State]) -> str:
    """The states as they stand in an SQL `IN (...)`, in a fixed order."""
    return ", ".join(f"'{state.value}'" for state in sorted(states))
