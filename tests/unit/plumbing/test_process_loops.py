import asyncio
from datetime import timedelta

import pytest

from plumbing.process import LoopEnded, sleep_or_stop, supervise_loops


class Patient:
    """Works until it is asked to stop, and then ends its round."""

    def __init__(self) -> None:
        self.has_ended_well = False

    async def run(self, stop: asyncio.Event, /) -> None:
        await stop.wait()
        await asyncio.sleep(0)
        self.has_ended_well = True


class Failing:
    def __init__(self, error: Exception) -> None:
        self._error = error

    async def run(self, stop: asyncio.Event, /) -> None:
        await asyncio.sleep(0)
        raise self._error


class Ending:
    async def run(self, stop: asyncio.Event, /) -> None:
        await asyncio.sleep(0)


async def test_loops_run_until_stopped() -> None:
    stop, loops = asyncio.Event(), [Patient(), Patient()]
    running = asyncio.create_task(supervise_loops(stop, *loops))
    await asyncio.sleep(0)
    assert not running.done()
    stop.set()
    await running
    assert all(loop.has_ended_well for loop in loops)


async def test_one_failure_stops_the_others_in_good_order_and_is_raised() -> None:
    stop, patient = asyncio.Event(), Patient()
    with pytest.raises(ValueError, match="lost"):
        await supervise_loops(stop, patient, Failing(ValueError("lost")))
    assert patient.has_ended_well
    assert stop.is_set()


async def test_several_failures_are_raised_together() -> None:
    with pytest.raises(ExceptionGroup) as caught:
        await supervise_loops(
            asyncio.Event(), Failing(ValueError()), Failing(KeyError())
        )
    assert {type(error) for error in caught.value.exceptions} == {ValueError, KeyError}


async def test_a_loop_that_ends_unasked_is_a_failure() -> None:
    with pytest.raises(LoopEnded, match="Ending"):
        await supervise_loops(asyncio.Event(), Patient(), Ending())


async def test_cancelling_cancels_the_loops() -> None:
    stop, patient = asyncio.Event(), Patient()
    running = asyncio.create_task(supervise_loops(stop, patient))
    await asyncio.sleep(0)
    running.cancel()
    with pytest.raises(asyncio.CancelledError):
        await running
    assert not patient.has_ended_well
    assert len(asyncio.all_tasks()) == 1


async def test_sleep_ends_early_when_asked_to_stop() -> None:
    stop = asyncio.Event()
    sleeping = asyncio.create_task(sleep_or_stop(stop, timedelta(hours=1)))
    await asyncio.sleep(0)
    stop.set()
    assert await sleeping


async def test_sleep_over_means_go_on() -> None:
    assert not await sleep_or_stop(asyncio.Event(), timedelta(milliseconds=1))
    assert not await sleep_or_stop(asyncio.Event(), timedelta(0))


async def test_a_stop_that_came_before_is_seen() -> None:
    stop = asyncio.Event()
    stop.set()
    assert await sleep_or_stop(stop, timedelta(0))
