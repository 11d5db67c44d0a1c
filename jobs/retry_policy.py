"""Whether and when a failed attempt is repeated: pure, decided by facts alone.

Waits grow as 2 s x 4^attempt up to five minutes, and scale with the lease. Only
what the job may have caused counts; an attempt that stored a new chunk got
somewhere and never counts.
"""

import random
from dataclasses import dataclass
from datetime import timedelta
from typing import Final

from jobs.lifecycle import MAX_ATTEMPTS, State

_FIRST: Final = timedelta(seconds=2)
_LONGEST: Final = timedelta(minutes=5)
_USUAL_LEASE: Final = timedelta(seconds=60)
_MAX_UNUSABLE_ATTEMPTS: Final = 2


@dataclass(frozen=True, slots=True, kw_only=True)
class Failure:
    """What went wrong in an attempt.

    `is_permanent`: no other attempt can heal it. `is_ours`: the job did not cause
    it (engine away, preemption), so the attempt is given back.
    """

    code: str
    is_permanent: bool = False
    is_ours: bool = False
    max_attempts: int = MAX_ATTEMPTS


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    state: State
    counts: bool
    retry_after: timedelta
    error_code: str


ENGINE_AWAY: Final = Failure(code="engine_unavailable", is_ours=True)
OUTPUT_UNUSABLE: Final = Failure(
    code="model_output_invalid", max_attempts=_MAX_UNUSABLE_ATTEMPTS
)
PROMPT_CUT: Final = Failure(code="input_truncated", is_permanent=True)
TEXT_UNUSABLE: Final = Failure(code="text_unusable", is_permanent=True)
# Sealed under another master key: whoever set ours has to mend that, no job has failed.
KEY_UNFIT: Final = Failure(code="master_key_unfit", is_ours=True)
ATTEMPT_STUCK: Final = Failure(code="attempt_stuck")
UNEXPECTED: Final = Failure(code="internal_error")


def decide(
    failure: Failure, *, attempt: int, stored_chunks: bool, lease: timedelta
) -> Verdict:
    """How to leave a job whose `attempt` (counted from 1) failed."""
    counts = not failure.is_ours and not stored_chunks
    if failure.is_permanent or (counts and attempt >= failure.max_attempts):
        return Verdict(
            state=State.FAILED,
            counts=True,
            retry_after=timedelta(0),
            error_code=failure.code,
        )
    return Verdict(
        state=State.RETRY_WAIT,
        counts=counts,
        retry_after=pause_before_retry(attempt, lease=lease),
        error_code=failure.code,
    )


def pause_before_retry(attempt: int, *, lease: timedelta) -> timedelta:
    """2 s, 8 s, 32 s ... five minutes at most, give or take a fifth."""
    pause = min(_LONGEST, _FIRST * float(4 ** min(attempt - 1, 6)))
    spread = random.uniform(0.8, 1.2)  # noqa: S311 - spreads load, guards nothing
    scale: float = spread * (lease / _USUAL_LEASE)
    return pause * scale
