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
        async with slots.apart(attempt=2):
            order.append("suspect")

    running = asyncio.create_task(suspect())
    newcomer = asyncio.create_task(slots.take(1))
    await asyncio.sleep(0.01)
    assert not newcomer.done()
    order.append("other left")
    await slots.give_back(1)
    await running
    assert order == ["other left", "suspect"]
    assert await newcomer == 1


async def test_suspects_keep_company_until_they_lost_a_second_worker() -> None:
    slots = Slots(9)
    await slots.take(4)
    begun: list[int] = []
    proceed = asyncio.Event()

    async def suspect(number: int) -> None:
        assert slots.admits_suspect(attempt=2)
        async with slots.apart(attempt=2):
            begun.append(number)
            await proceed.wait()

    company = [asyncio.create_task(suspect(number)) for number in range(3)]
    await asyncio.sleep(0.01)
    assert begun == []
    assert not slots.admits_suspect(attempt=2), "three are the root of nine"
    await slots.give_back(1)  # of the fourth, which was not admitted
    await asyncio.sleep(0.01)
    assert sorted(begun) == [0, 1, 2]
    proceed.set()
    await asyncio.gather(*company)
    assert slots.admits_suspect(attempt=3)


async def test_a_suspect_that_lost_two_workers_has_no_company() -> None:
    slots = Slots(9)
    await slots.take(1)
    async with slots.apart(attempt=3):
        assert not slots.admits_suspect(attempt=2)
    async with slots.apart(attempt=2):
        assert not slots.admits_suspect(attempt=3)
        assert slots.admits_suspect(attempt=2)


async def test_a_room_is_open_again_once_no_suspect_is_left_in_it() -> None:
    slots = Slots(4)
    await slots.take(1)
    async with slots.apart(attempt=3) as rejoin:
        newcomer = asyncio.create_task(slots.take(2))
        await asyncio.sleep(0.01)
        assert not newcomer.done()
        await rejoin()
        await rejoin()
        assert await newcomer == 2
        assert slots.admits_suspect(attempt=3)


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
