"""The realtime engine is killed, stopped, frozen, restarted, cut off or slow.

Who can wait goes on in batch under the same id, who cannot is told so with the time to
come back, nothing is a 500, 502 or 504, and an engine that is well again is used again.
"""

import asyncio
from collections.abc import AsyncIterator
from typing import Final

import pytest

from plumbing.database import Database
from tests.builders import a_tenant
from tests.faults.engines.own_engine import OwnEngine
from tests.faults.front import A_TEXT, Caller, Front, Timed, a_caller
from tests.faults.proxy import Flow
from tests.fixtures.database import login_url
from tests.fixtures.processes import Processes
from tests.waiting import until

LIMIT: Final = 2.0
# A gateway probes a calm pool every fifteen seconds, and a breaker rests for five.
BACK: Final = 25.0
AUTO: Final = {"text": A_TEXT, "tier": "auto"}
REALTIME: Final = {"text": A_TEXT, "tier": "realtime"}


@pytest.fixture
async def caller(
    database: Database, database_url: str, processes: Processes, engine: OwnEngine
) -> AsyncIterator[Caller]:
    front = await Front(
        processes,
        login_url(database_url, "gateway"),
        realtime_engine_urls=engine.url,
        realtime_limit=LIMIT,
    ).ready()
    async with a_caller(front.url, await a_tenant(database)) as opened:
        await is_back(opened)
        yield opened


async def is_back(caller: Caller) -> None:
    async def is_served() -> bool:
        return (await caller.post(REALTIME)).status == 200

    await until(is_served, seconds=BACK, what="the engine is not used again")


async def post_five(caller: Caller, body: dict[str, str]) -> list[Timed]:
    return await asyncio.gather(*(caller.post(body) for _ in range(5)))


async def is_borne(caller: Caller) -> None:
    """Several callers at once meet the trouble, then several who come after it."""
    for _ in range(2):
        waiting, impatient = await asyncio.gather(
            post_five(caller, AUTO), post_five(caller, REALTIME)
        )
        assert {each.status for each in waiting} == {202}
        for each in impatient:
            assert (each.status, each.code) in {
                (503, "realtime_unavailable"),
                (503, "model_output_invalid"),
            }
            assert int(each.response.headers["retry-after"]) >= 1
        assert max(each.seconds for each in (*waiting, *impatient)) < LIMIT + 1


async def test_fault_engine_realtime_k9(caller: Caller, engine: OwnEngine) -> None:
    await engine.kill()
    await is_borne(caller)
    await engine.start()
    await is_back(caller)


async def test_fault_engine_realtime_term(caller: Caller, engine: OwnEngine) -> None:
    assert await engine.stop() == 0
    await is_borne(caller)
    await engine.start()
    await is_back(caller)


async def test_fault_engine_realtime_stop(caller: Caller, engine: OwnEngine) -> None:
    with engine.frozen():
        await is_borne(caller)
    await is_back(caller)


async def test_fault_engine_realtime_rst(caller: Caller, engine: OwnEngine) -> None:
    """Callers who can wait never see that it is started again and again."""
    is_over = asyncio.Event()
    statuses: set[int] = set()

    async def call_on() -> None:
        while not is_over.is_set():
            statuses.add((await caller.post(AUTO)).status)

    calling = [asyncio.create_task(call_on()) for _ in range(3)]
    for _ in range(3):
        await engine.kill()
        await engine.start()
    is_over.set()
    await asyncio.gather(*calling)
    assert statuses <= {200, 202}
    await is_back(caller)


@pytest.mark.parametrize("way", ["refused", "silent"])
async def test_fault_engine_realtime_net(
    caller: Caller, engine: OwnEngine, way: str
) -> None:
    if way == "refused":
        await engine.line.refuse()
    else:
        engine.line.fault(Flow.LOSE)
    await is_borne(caller)
    await engine.mend()
    await is_back(caller)


async def test_fault_engine_realtime_slow(caller: Caller, engine: OwnEngine) -> None:
    engine.line.latency = LIMIT
    await is_borne(caller)
    engine.line.heal()
    await is_back(caller)
