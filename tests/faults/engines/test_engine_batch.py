"""The batch engine is killed, stopped, frozen, cut off or slow: no attempt is burnt.

What is stored of a text stays stored, and the next attempt goes on from there. That an
engine which talks nonsense ends a job as failed is proven beside the batch tier.
"""

from typing import Final

import pytest

from tests.builders import rows
from tests.faults.engines.own_engine import OwnEngine
from tests.faults.proxy import Flow
from tests.faults.tier import MANY_CHUNKS, Tier
from tests.waiting import until

CALL_LIMIT: Final = "4"
# A worker's breaker rests for five seconds before it tries the engine again.
BACK: Final = 20.0
# Seconds on the line, so that a fault meets calls under way.
UNDER_WAY: Final = 0.2


@pytest.fixture(scope="module")
async def kept_pair(kept_tier: Tier, kept_engine: OwnEngine) -> tuple[Tier, OwnEngine]:
    told = {
        "PRECIS_BATCH_ENGINE_URLS": kept_engine.url,
        "PRECIS_ENGINE_CALL_LIMIT": CALL_LIMIT,
    }
    await kept_tier.tell("worker", **told)
    return kept_tier, kept_engine


@pytest.fixture
def tier(kept_pair: tuple[Tier, OwnEngine]) -> Tier:
    return kept_pair[0]


async def some_in_hand(tier: Tier, engine: OwnEngine) -> list[object]:
    """Long texts of which a part is done and another part is with the engine."""
    engine.line.latency = UNDER_WAY
    jobs = await tier.take(3, MANY_CHUNKS)

    async def are_begun() -> bool:
        stored = (
            "SELECT count(*) FROM chunk WHERE job_id = ANY(:ids) AND state = 'done'"
        )
        return bool((await rows(tier.database, stored, ids=jobs))[0][0])

    await until(are_begun, what="no chunk is stored")
    return list(jobs)


async def go_on_where_they_were(tier: Tier, jobs: list[object]) -> None:
    """No chunk that the first claim stored was asked for again."""
    await tier.settle(jobs, within=BACK)  # type: ignore[arg-type]
    kept = "SELECT count(*) FROM chunk WHERE job_id = ANY(:ids) AND fence = 1"
    assert (await rows(tier.database, kept, ids=jobs))[0][0] > 0


async def test_fault_engine_batch_k9(tier: Tier, engine: OwnEngine) -> None:
    jobs = await some_in_hand(tier, engine)
    await engine.kill()
    await engine.start()
    await engine.mend()
    await go_on_where_they_were(tier, jobs)


async def test_fault_engine_batch_term(tier: Tier, engine: OwnEngine) -> None:
    jobs = await some_in_hand(tier, engine)
    assert await engine.stop() == 0
    await engine.start()
    await engine.mend()
    await go_on_where_they_were(tier, jobs)


async def test_fault_engine_batch_stop(tier: Tier, engine: OwnEngine) -> None:
    """Frozen for longer than a call may take: given up, and asked again later."""
    jobs = await some_in_hand(tier, engine)
    with engine.frozen():
        await tier.wait_noticed("worker", "engine_unavailable")
    await engine.mend()
    await go_on_where_they_were(tier, jobs)


async def test_fault_engine_batch_rst(tier: Tier, engine: OwnEngine) -> None:
    jobs = await some_in_hand(tier, engine)
    for _ in range(3):
        await engine.kill()
        await engine.start()
    await engine.mend()
    await go_on_where_they_were(tier, jobs)


@pytest.mark.parametrize("way", ["reset", "refused", "silent"])
async def test_fault_engine_batch_net(tier: Tier, engine: OwnEngine, way: str) -> None:
    jobs = await some_in_hand(tier, engine)
    if way == "reset":
        await engine.line.reset()
    elif way == "refused":
        await engine.line.refuse()
        await tier.wait_noticed("worker", "engine_unavailable")
    else:
        engine.line.fault(Flow.LOSE)
        await tier.wait_noticed("worker", "engine_unavailable")
    await engine.mend()
    await go_on_where_they_were(tier, jobs)


async def test_fault_engine_batch_slow(tier: Tier, engine: OwnEngine) -> None:
    """A call that outlasts the lease: the lease is kept, the job is claimed once."""
    engine.line.latency = 1.5
    jobs = await tier.take()
    await tier.settle(jobs)
    fences = "SELECT DISTINCT fence FROM job WHERE id = ANY(:ids)"
    assert await rows(tier.database, fences, ids=jobs) == [(2,)]
