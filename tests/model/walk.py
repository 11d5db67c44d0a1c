"""One step after another, each judged; and the end that every walk has to come to.

After any sequence of steps the keepers alone, given time, must bring every job to its
ending and then let go of all that it held: whatever state was reached, there is a way
out of it that needs no worker.
"""

import asyncio
from datetime import timedelta
from random import Random
from typing import Final

from sqlalchemy import text

from jobs.store.pause_store import begin_resume, list_pauses
from plumbing.database import InTheWay, RowRefused
from tests.model import expected, invariants
from tests.model.acts import ACTS
from tests.model.books import Books, Broken
from tests.model.world import Actor, Answer, World

_LIVING: Final = """
SELECT id FROM job WHERE state NOT IN ('succeeded', 'failed', 'cancelled', 'expired')
"""


class Walk:
    def __init__(self, world: World) -> None:
        self.world = world
        self.books = Books()
        self.taken = 0

    async def step(self, actor: Actor, name: str, choice: Random) -> Answer:
        """One act by one actor, while all others rest: its answer is foreseen."""
        before = await self._look(name)
        answer = await _do(name, actor, choice)
        self.taken += 1
        if before is not None:
            expected.check_answer(before, answer)
        async with self.world.watching.transaction() as tx:
            await self.books.audit(tx, [answer])
            await invariants.check(tx)
        return answer

    async def _look(self, name: str) -> expected.Before | None:
        if not ACTS[name].is_foreseen:
            return None
        async with self.world.watching.transaction() as tx:
            return await expected.look(tx)

    async def wander(self, choice: Random, *, steps: int) -> None:
        """Steps chosen by weight alone."""
        for _ in range(steps):
            actor = choice.choice(self.world.actors)
            await self.step(actor, choose(actor, choice), choice)

    async def come_to_an_end(self) -> None:
        """Only the keepers act from here on; raises if anything is left over."""
        keeper = self.world.actors[0]
        async with keeper.acting("pause") as tx:
            for pause in await list_pauses(tx):
                await begin_resume(tx, pause.scope, pause.name, actor="model")
        self.world.clock.move_on(timedelta(hours=73))
        for name in ("sweep", "wake", "expire"):
            await self._until_idle(keeper, name)
        await self._demand_none(_LIVING, "I1 a job that never ends")
        for hours in (2, 30 * 24 + 1, 5 * 24):
            self.world.clock.move_on(timedelta(hours=hours))
            await self._until_idle(keeper, "retain")
            async with self.world.watching.transaction() as tx:
                await invariants.check_nothing_overdue(tx)

    async def _until_idle(self, keeper: Actor, name: str) -> None:
        """As the loops do: a round takes a bounded number."""
        answer = await self.step(keeper, name, Random(0))
        while answer.told or answer.count:
            answer = await self.step(keeper, name, Random(0))

    async def _demand_none(self, query: str, what: str) -> None:
        async with self.world.watching.statement() as tx:
            for row in await tx.execute(text(query)):
                raise Broken(f"{what}: {row.id}")


async def wander(world: World, *, walks: int = 20, steps: int = 100) -> None:
    """Walks from the beginning, each by a seed of its own, until one breaks."""
    for seed in range(walks):
        await world.reset()
        await Walk(world).wander(Random(seed), steps=steps)


class Crowd:
    """Eight actors at once, by a seed; what they did is judged whenever they rest."""

    def __init__(self, world: World, *, seed: int) -> None:
        self.walk = Walk(world)
        self.in_the_way = 0
        """Acts that Postgres undid as a whole, because others were in their way."""
        self.acts = 0
        self.snapshots = 0
        """Taken while others acted; each of them was sound."""
        self._world = world
        self._choices = [
            Random(f"{seed}:{number}") for number in range(len(world.actors))
        ]

    async def act(self, *, rounds: int, steps_each: int) -> None:
        for _ in range(rounds):
            resting = asyncio.Event()
            watching = asyncio.create_task(self._watch(resting))
            try:
                answers = await self._act_together(steps_each)
            finally:
                resting.set()
                await watching
            async with self._world.watching.transaction() as tx:
                await self.walk.books.audit(tx, answers)
                await invariants.check(tx)

    async def _act_together(self, steps_each: int) -> list[Answer]:
        """What all did; of the breaks that several find at once, the first is told."""
        try:
            async with asyncio.TaskGroup() as group:
                tasks = [
                    group.create_task(self._act(actor, choice, steps=steps_each))
                    for actor, choice in zip(
                        self._world.actors, self._choices, strict=True
                    )
                ]
        except ExceptionGroup as broken:
            raise broken.exceptions[0] from None
        return [answer for task in tasks for answer in task.result()]

    async def _act(self, actor: Actor, choice: Random, *, steps: int) -> list[Answer]:
        answers = []
        for _ in range(steps):
            name = choose(actor, choice)
            try:
                answers.append(await _do(name, actor, choice))
            except InTheWay:
                self.in_the_way += 1
            self.acts += 1
        return answers

    async def _watch(self, resting: asyncio.Event) -> None:
        """Every snapshot has to be sound, also those in the middle of things."""
        while not resting.is_set():
            async with self._world.watching.transaction() as tx:
                await invariants.check(tx)
            self.snapshots += 1


async def _do(name: str, actor: Actor, choice: Random) -> Answer:
    """A constraint is a guard against mistakes: no act of ours ever runs into one."""
    try:
        return await ACTS[name].do(actor, choice)
    except RowRefused as error:
        raise Broken(f"refused: {name}: {error.orig}") from error


def choose(actor: Actor, choice: Random) -> str:
    possible = [name for name, act in ACTS.items() if act.can(actor)]
    weights = [ACTS[name].weight for name in possible]
    return choice.choices(possible, weights)[0]
