from datetime import timedelta

import pytest

from plumbing.breaker import Breaker

SECOND = timedelta(seconds=1)


class Clock:
    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def breaker(clock: Clock) -> Breaker:
    return Breaker(failures=3, window=10 * SECOND, cooldown=5 * SECOND, clock=clock)


def fail(breaker: Breaker, times: int) -> None:
    for _ in range(times):
        breaker.record(ok=False)


def test_it_opens_after_failures_in_a_row(breaker: Breaker) -> None:
    fail(breaker, 2)
    assert breaker.allow()
    fail(breaker, 1)
    assert breaker.state == "open"
    assert not breaker.allow()


def test_a_success_in_between_starts_the_count_anew(breaker: Breaker) -> None:
    fail(breaker, 2)
    breaker.record(ok=True)
    fail(breaker, 2)
    assert breaker.state == "closed"


def test_failures_far_apart_do_not_open_it(breaker: Breaker, clock: Clock) -> None:
    for _ in range(9):
        fail(breaker, 1)
        clock.now += 5.1
    assert breaker.state == "closed"


def test_after_the_cooldown_one_call_may_try(breaker: Breaker, clock: Clock) -> None:
    fail(breaker, 3)
    clock.now += 4.9
    assert not breaker.allow()
    clock.now += 0.2
    assert breaker.state == "half_open"
    assert breaker.allow()
    assert not breaker.allow()


def test_a_trial_that_succeeds_closes_it(breaker: Breaker, clock: Clock) -> None:
    fail(breaker, 3)
    clock.now += 6
    assert breaker.allow()
    breaker.record(ok=True)
    assert breaker.state == "closed"
    fail(breaker, 2)  # what was counted before is forgotten
    assert breaker.state == "closed"


def test_a_trial_that_fails_opens_it_for_another_cooldown(
    breaker: Breaker, clock: Clock
) -> None:
    fail(breaker, 3)
    clock.now += 6
    assert breaker.allow()
    fail(breaker, 1)
    clock.now += 4.9
    assert breaker.state == "open"
    clock.now += 0.2
    assert breaker.allow()


def test_a_trial_that_never_reports_blocks_one_cooldown_only(
    breaker: Breaker, clock: Clock
) -> None:
    fail(breaker, 3)
    clock.now += 6
    assert breaker.allow()
    clock.now += 4.9
    assert not breaker.allow()
    clock.now += 0.2
    assert breaker.allow()


def test_calls_that_began_before_it_opened_change_nothing(
    breaker: Breaker, clock: Clock
) -> None:
    fail(breaker, 3)
    clock.now += 1
    breaker.record(ok=True)
    assert not breaker.allow()
    fail(breaker, 5)
    clock.now += 4.1
    assert breaker.state == "half_open"


def test_tripping_opens_at_once(breaker: Breaker) -> None:
    breaker.trip()
    assert breaker.state == "open"
