"""When a delivery is tried again."""

from datetime import timedelta

import pytest

from notifier.outcomes import Outcome, Verdict, blocked, failed
from notifier.schedule import MAX_ATTEMPTS, WAITS, DeliveryState, next_step

FAILED = failed("timeout")


def test_ten_tries_take_about_75_hours() -> None:
    assert MAX_ATTEMPTS == 10
    assert sum(WAITS, timedelta()) == timedelta(hours=75, minutes=35, seconds=5)


@pytest.mark.parametrize("attempt", range(1, 10))
def test_each_wait_is_its_step_give_or_take_a_fifth(attempt: int) -> None:
    base = WAITS[attempt - 1]
    waits = [next_step(attempt, FAILED).wait for _ in range(200)]
    assert all(wait and 0.8 * base <= wait <= 1.2 * base for wait in waits)
    assert len(set(waits)) > 100


def test_after_the_tenth_try_it_is_over() -> None:
    assert next_step(9, FAILED).state is DeliveryState.DUE
    assert next_step(10, FAILED).state is DeliveryState.EXHAUSTED


@pytest.mark.parametrize(
    ("asked", "shortest", "longest"),
    [
        (timedelta(seconds=1), timedelta(minutes=4), timedelta(minutes=6)),
        (timedelta(minutes=8), timedelta(minutes=8), timedelta(minutes=8)),
        (timedelta(hours=3), timedelta(minutes=10), timedelta(minutes=10)),
    ],
)
def test_a_receiver_may_ask_for_up_to_twice_the_wait(
    asked: timedelta, shortest: timedelta, longest: timedelta
) -> None:
    outcome = Outcome(verdict=Verdict.FAILED, code=503, retry_after=asked)
    wait = next_step(2, outcome).wait
    assert wait is not None
    assert shortest <= wait <= longest


def test_nobody_may_ask_for_more_than_a_day() -> None:
    outcome = Outcome(verdict=Verdict.FAILED, code=503, retry_after=timedelta(days=9))
    wait = next_step(8, outcome).wait
    assert wait == timedelta(hours=24)


@pytest.mark.parametrize(
    ("outcome", "state"),
    [
        (Outcome(verdict=Verdict.ACCEPTED, code=204), DeliveryState.DELIVERED),
        (Outcome(verdict=Verdict.REFUSED, code=550), DeliveryState.REFUSED),
        (blocked("address_blocked"), DeliveryState.BLOCKED),
    ],
)
def test_some_outcomes_end_a_delivery_at_once(
    outcome: Outcome, state: DeliveryState
) -> None:
    step = next_step(1, outcome)
    assert step.state is state
    assert not step.disables_endpoint


def test_gone_ends_the_delivery_and_disables_the_endpoint() -> None:
    step = next_step(1, Outcome(verdict=Verdict.GONE, code=410))
    assert step.state is DeliveryState.REFUSED
    assert step.disables_endpoint


def test_a_mail_in_doubt_is_tried_three_times() -> None:
    outcome = Outcome(verdict=Verdict.FAILED, is_doubtful=True)
    assert next_step(2, outcome, doubts=1).state is DeliveryState.DUE
    assert next_step(3, outcome, doubts=2).state is DeliveryState.EXHAUSTED
