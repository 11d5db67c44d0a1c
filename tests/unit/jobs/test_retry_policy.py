"""What counts as an attempt, and how long a job waits for the next one."""

from datetime import timedelta

import pytest

from jobs.lifecycle import MAX_ATTEMPTS, State
from jobs.messages.problem import FAILURES
from jobs.retry_policy import (
    ATTEMPT_STUCK,
    ENGINE_AWAY,
    OUTPUT_UNUSABLE,
    PROMPT_CUT,
    TEXT_UNUSABLE,
    UNEXPECTED,
    Failure,
    Verdict,
    decide,
    pause_before_retry,
)

LEASE = timedelta(seconds=60)


def _decide(failure: Failure, *, attempt: int = 1, stored: bool = False) -> Verdict:
    return decide(failure, attempt=attempt, stored_chunks=stored, lease=LEASE)


def test_an_engine_that_is_away_never_costs_an_attempt() -> None:
    verdict = _decide(ENGINE_AWAY, attempt=MAX_ATTEMPTS)
    assert (verdict.state, verdict.counts) == (State.RETRY_WAIT, False)


def test_unusable_answers_fail_a_job_at_the_second_attempt() -> None:
    assert _decide(OUTPUT_UNUSABLE, attempt=1).state is State.RETRY_WAIT
    verdict = _decide(OUTPUT_UNUSABLE, attempt=2)
    assert (verdict.state, verdict.error_code) == (State.FAILED, "model_output_invalid")


@pytest.mark.parametrize("failure", [PROMPT_CUT, TEXT_UNUSABLE])
def test_what_no_attempt_can_heal_fails_at_once(failure: Failure) -> None:
    assert _decide(failure, stored=True).state is State.FAILED


def test_an_attempt_that_stored_a_chunk_does_not_count() -> None:
    verdict = _decide(UNEXPECTED, attempt=MAX_ATTEMPTS, stored=True)
    assert (verdict.state, verdict.counts) == (State.RETRY_WAIT, False)


def test_the_fifth_unexpected_failure_is_the_last() -> None:
    assert _decide(UNEXPECTED, attempt=MAX_ATTEMPTS - 1).state is State.RETRY_WAIT
    assert _decide(UNEXPECTED, attempt=MAX_ATTEMPTS).state is State.FAILED


@pytest.mark.parametrize(
    ("attempt", "seconds"), [(1, 2), (2, 8), (3, 32), (4, 128), (5, 300), (50, 300)]
)
def test_waits_grow_to_five_minutes_give_or_take_a_fifth(
    attempt: int, seconds: int
) -> None:
    for _ in range(20):
        pause = pause_before_retry(attempt, lease=LEASE).total_seconds()
        assert 0.8 * seconds <= pause <= 1.2 * seconds


def test_waits_scale_with_the_lease() -> None:
    pause = pause_before_retry(1, lease=LEASE / 30).total_seconds()
    assert pause <= 2.4 / 30


@pytest.mark.parametrize(
    "failure", [ATTEMPT_STUCK, OUTPUT_UNUSABLE, PROMPT_CUT, TEXT_UNUSABLE, UNEXPECTED]
)
def test_every_reason_that_can_end_a_job_has_its_words(failure: Failure) -> None:
    assert FAILURES[failure.code].detail
