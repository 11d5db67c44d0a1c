import asyncio
import threading
import time

import pytest

from realtime.engine.extractive.ranking import Checkpoint
from realtime.engine.faults import EngineBusy
from realtime.engine.slots import Slots


class Gate:
    """Work that runs until it is let go, or until a checkpoint ends it."""

    def __init__(self) -> None:
        self.started = threading.Event()
        self.open = threading.Event()
        self.was_abandoned = False

    def work(self, check: Checkpoint) -> str:
        self.started.set()
        while not self.open.wait(timeout=0.005):
            try:
                check()
            except BaseException:
                self.was_abandoned = True
                raise
        return "done"


async def until(condition: object, *, seconds: float = 2) -> None:
    deadline = time.monotonic() + seconds
    while not condition():  # type: ignore[operator]
        assert time.monotonic() < deadline
        await asyncio.sleep(0.002)


async def test_work_waits_for_a_free_slot_and_its_result_comes_back() -> None:
    slots = Slots(1, max_queued=5)
    first, second = Gate(), Gate()
    tasks = [asyncio.create_task(slots.run(gate.work)) for gate in (first, second)]
    await until(first.started.is_set)
    assert (slots.running_count, slots.waiting_count) == (1, 1)
    assert not second.started.is_set()
    first.open.set()
    second.open.set()
    assert await asyncio.gather(*tasks) == ["done", "done"]
    assert (slots.running_count, slots.waiting_count) == (0, 0)
    slots.close()


async def test_more_than_may_wait_are_refused() -> None:
    slots = Slots(1, max_queued=1)
    gate = Gate()
    tasks = [asyncio.create_task(slots.run(gate.work)) for _ in range(2)]
    await until(gate.started.is_set)
    with pytest.raises(EngineBusy):
        await slots.run(gate.work)
    gate.open.set()
    assert await asyncio.gather(*tasks) == ["done", "done"]
    slots.close()


async def test_waiting_work_whose_caller_leaves_is_never_started() -> None:
    slots = Slots(1, max_queued=5)
    running, waiting = Gate(), Gate()
    kept = asyncio.create_task(slots.run(running.work))
    left = asyncio.create_task(slots.run(waiting.work))
    await until(running.started.is_set)
    left.cancel()
    await until(left.done)
    assert slots.waiting_count == 0
    running.open.set()
    assert await kept == "done"
    assert not waiting.started.is_set()
    slots.close()


async def test_running_work_whose_caller_leaves_ends_at_its_checkpoint() -> None:
    slots = Slots(1, max_queued=5)
    gate = Gate()
    task = asyncio.create_task(slots.run(gate.work))
    await until(gate.started.is_set)
    task.cancel()
    await until(lambda: slots.running_count == 0)
    assert gate.was_abandoned
    next_gate = Gate()
    next_gate.open.set()
    assert await slots.run(next_gate.work) == "done"
    slots.close()


async def test_a_slot_stays_taken_until_its_abandoned_work_has_ended() -> None:
    slots = Slots(1, max_queued=5)
    gate = Gate()

    def deaf(_: Checkpoint) -> str:
        return gate.work(lambda: None)

    task = asyncio.create_task(slots.run(deaf))
    await until(gate.started.is_set)
    task.cancel()
    await asyncio.sleep(0)
    assert slots.running_count == 1
    gate.open.set()
    await until(lambda: slots.running_count == 0)
    slots.close()


async def test_an_error_of_the_work_reaches_its_caller_and_frees_the_slot() -> None:
    slots = Slots(1, max_queued=0)

    def broken(_: Checkpoint) -> str:
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        await slots.run(broken)
    assert slots.running_count == 0
    slots.close()
