"""Room for jobs and texts in one worker process."""

import asyncio

from workers.batch.slots import Slots, TextBudget


async def test_slots_are_granted_up_to_what_is_free() -> None:
    slots = Slots(3)
    assert await slots.take(2) == 2
    assert await slots.take(5) == 1


async def test_a_full_process_waits_for_a_slot() -> None:
    slots = Slots(1)
    await slots.take(1)
    waiting = asyncio.create_task(slots.take(1))
    await asyncio.sleep(0)
    assert not waiting.done()
    await slots.give_back(1)
    assert await waiting == 1


async def test_a_suspect_runs_only_when_the_others_have_left() -> None:
    slots = Slots(4)
    await slots.take(2)  # the suspect and one other
    order: list[str] = []

    async def suspect() -> None:
        async with slots.alone():
            order.append("suspect")

    running = asyncio.create_task(suspect())
    newcomer = asyncio.create_task(slots.take(1))
    await asyncio.sleep(0.01)
    assert slots.is_alone
    assert not newcomer.done()
    order.append("other left")
    await slots.give_back(1)
    await running
    assert order == ["other left", "suspect"]
    assert await newcomer == 1


async def test_the_room_is_open_again_once_its_job_is_suspect_no_more() -> None:
    slots = Slots(4)
    await slots.take(1)
    async with slots.alone() as let_in:
        newcomer = asyncio.create_task(slots.take(2))
        await asyncio.sleep(0.01)
        assert not newcomer.done()
        await let_in()
        await let_in()
        assert await newcomer == 2
        assert not slots.is_alone


async def test_texts_in_memory_are_bounded_and_a_giant_gets_its_turn() -> None:
    budget = TextBudget(10)
    entered: list[str] = []

    async def read(name: str, characters: int, leave: asyncio.Event) -> None:
        async with budget.hold(characters):
            entered.append(name)
            await leave.wait()

    first, giant = asyncio.Event(), asyncio.Event()
    tasks = [
        asyncio.create_task(read("first", 6, first)),
        asyncio.create_task(read("giant", 1_000, giant)),
    ]
    await asyncio.sleep(0.01)
    assert entered == ["first"]
    first.set()
    giant.set()
    await asyncio.gather(*tasks)
    assert entered == ["first", "giant"]
