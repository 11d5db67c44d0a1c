"""F7: all workers are restarted politely, again and again, under load."""

import asyncio
import itertools
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from uuid import UUID

import pytest

from tests.builders import A_TEXT
from tests.faults.failpoints.test_failpoints import SEVERAL_CHUNKS
from tests.figures.conftest import OpenTier
from tests.figures.paced_engine import PacedEngine
from tests.figures.record import record
from tests.figures.tier import Shape, Tier
from tests.waiting import until

RESTARTS = 10
WORKERS = 2
_FATES = """
SELECT count(*) FILTER (WHERE state = 'succeeded') AS succeeded,
       count(*) FILTER (WHERE attempt > 1) AS burnt,
       count(*) FILTER (WHERE fence > 2) AS handed_back
FROM job WHERE id = ANY(:ids)
"""


@pytest.mark.timeout(240)
async def test_f07_restarts_of_all_workers_burn_no_attempt(
    batch_tier: OpenTier,
) -> None:
    # Longer than the grace of 1 s: what is under way has to be handed back.
    engine = PacedEngine(seconds=3)
    async with batch_tier(engine, Shape(workers=WORKERS, slots=8)) as tier:
        async with _load(tier) as jobs:
            for _ in range(RESTARTS):
                await _restart_all(tier)
        engine.seconds = 0.1
        await tier.wait_ended(jobs, seconds=60)
        await tier.stack.wait_quiet(jobs)
        tier.stack.judge(jobs)
        [fates] = await tier.ask(_FATES, ids=jobs)
    assert fates.handed_back >= RESTARTS, "the restarts met nobody at work"
    assert fates.succeeded == len(jobs)
    assert fates.burnt == 0
    record(
        figure="F7",
        what="graceful restarts of all workers at once, under load",
        size=f"{RESTARTS} restarts of {WORKERS} workers, {len(jobs):,} jobs",
        result={
            "attempts burnt": fates.burnt,
            "jobs handed back": fates.handed_back,
            "succeeded": fates.succeeded,
        },
        goal="0 attempts burnt",
        command="make test-faults",
    )


@asynccontextmanager
async def _load(tier: Tier) -> AsyncIterator[list[UUID]]:
    """Jobs keep coming, long ones among them, as long as the block lasts."""
    jobs: list[UUID] = []

    async def order() -> None:
        for number in itertools.count():
            text = SEVERAL_CHUNKS if number % 4 == 0 else A_TEXT
            jobs.extend(await tier.stack.submit(text, text))
            await asyncio.sleep(0.4)

    ordering = asyncio.create_task(order())
    try:
        yield jobs
    finally:
        ordering.cancel()
        with suppress(asyncio.CancelledError):
            await ordering


async def _restart_all(tier: Tier) -> None:
    """The new ones come up while the old ones let go of their work."""
    old = list(tier.stack.running["worker"])

    async def are_at_work() -> bool:
        return all([await tier.stack.held(each) for each in old])

    await until(are_at_work, what="a worker gets no jobs")
    starts = [asyncio.create_task(tier.stack.start("worker")) for _ in old]
    ends = await asyncio.gather(*(asyncio.to_thread(each.stop) for each in old))
    await asyncio.gather(*starts)
    assert set(ends) == {0}
    for each in old:
        tier.stack.running["worker"].remove(each)
