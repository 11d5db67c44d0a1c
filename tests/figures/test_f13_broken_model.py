"""F13: a model that answers with errors alone is not stormed, and is back soon."""

import asyncio
import time
from uuid import UUID

import pytest

from tests.builders import A_TEXT
from tests.figures.conftest import OpenTier
from tests.figures.paced_engine import PacedEngine
from tests.figures.record import record
from tests.figures.tier import Shape, Tier

BROKEN_SECONDS = 45
JOBS_A_SECOND = 20
MOST_AMPLIFIED = 1.1
LATEST_NORMAL_SECONDS = 30
_WINDOW_SECONDS = 3
_NOW = "SELECT extract(epoch FROM clock_timestamp())::float8"
_FINISHED = """
SELECT extract(epoch FROM finished_at)::float8 AS at FROM job WHERE id = ANY(:ids)
ORDER BY finished_at
"""
_BURNT = "SELECT count(*) FROM job WHERE id = ANY(:ids) AND attempt > 1"


@pytest.mark.timeout(180)
async def test_f13_a_broken_model_is_not_stormed_and_comes_back_to_a_normal_load(
    batch_tier: OpenTier,
) -> None:
    # It can take three times what comes, as a pool that is rightly sized.
    engine = PacedEngine(seconds=0.2, capacity=12)
    async with batch_tier(engine, Shape(workers=3, slots=8)) as tier:
        healthy = await _order(tier, seconds=5)
        await tier.wait_ended(healthy, seconds=20)
        engine.is_broken, before = True, len(engine.calls)
        offered = await _order(tier, seconds=BROKEN_SECONDS)
        engine.is_broken = False
        [(healed_at,)] = await tier.ask(_NOW)
        await tier.wait_ended(offered, seconds=90)
        finished = [row.at for row in await tier.ask(_FINISHED, ids=offered)]
        await tier.stack.wait_quiet(offered)
        tier.stack.judge([*healthy, *offered])
        [(burnt,)] = await tier.ask(_BURNT, ids=offered)
    back_after = _normal_at(finished) - healed_at
    # Each of these texts needs one call.
    amplified = (engine.refused + len(engine.calls) - before) / len(offered)
    assert burnt == 0
    assert amplified <= MOST_AMPLIFIED
    assert back_after <= LATEST_NORMAL_SECONDS
    record(
        figure="F13",
        what="a model that answers every request with an error, probes included",
        size=f"{BROKEN_SECONDS} s broken, {len(offered):,} jobs offered meanwhile, "
        "3 workers",
        result={
            "calls for each call needed": amplified,
            "refused calls": engine.refused,
            "attempts burnt": burnt,
            "as many a second as before it, s after healing": back_after,
            "backlog gone, s after healing": finished[-1] - healed_at,
        },
        goal="amplification <= 1.1, normal <= 30 s after healing",
        command="make test-faults",
    )


async def _order(tier: Tier, *, seconds: float) -> list[UUID]:
    """An even load, whatever becomes of it."""
    jobs: list[UUID] = []
    began, each = time.monotonic(), 0.5
    for number in range(int(seconds / each)):
        await asyncio.sleep(began + number * each - time.monotonic())
        jobs += await tier.stack.submit(*[A_TEXT] * int(JOBS_A_SECOND * each))
    return jobs


def _normal_at(finished: list[float]) -> float:
    """When for the first time so many ended in a few seconds as were usual before."""
    usual = JOBS_A_SECOND * _WINDOW_SECONDS
    return next(
        last
        for first, last in zip(finished, finished[usual:], strict=False)
        if last - first <= _WINDOW_SECONDS
    )
