"""A real gateway before a real Postgres that refuses, stands still, and comes back."""

import asyncio
import time
from collections.abc import AsyncIterator
from uuid import uuid4

import pytest

from plumbing.database import Database
from tests.builders import TenantForTests, rows
from tests.faults.front import (
    A_TEXT,
    HEALED,
    WHEN_FROZEN,
    WHEN_REFUSED,
    Caller,
    Front,
    Timed,
    a_caller,
    check_refused,
)
from tests.faults.own_postgres import OwnPostgres
from tests.faults.proxy import Flow, Proxy
from tests.fixtures.processes import Processes
from tests.waiting import until


@pytest.fixture
async def front(
    own_postgres: OwnPostgres, processes: Processes, embedded_engine_url: str
) -> Front:
    return await Front(
        processes,
        own_postgres.url,
        realtime_engine_urls=embedded_engine_url,
    ).ready()


@pytest.fixture
async def caller(front: Front, own_tenant: TenantForTests) -> AsyncIterator[Caller]:
    async with a_caller(front.url, own_tenant) as opened:
        yield opened


async def every_way_in(caller: Caller, known: str) -> list[Timed]:
    """What callers do, all at the same time, so that pools and groups are shared."""
    realtime = {"text": A_TEXT, "tier": "realtime"}
    return await asyncio.gather(
        *(caller.post() for _ in range(10)),
        *(caller.post(Idempotency_Key=uuid4().hex) for _ in range(10)),
        *(caller.post(realtime, Idempotency_Key=uuid4().hex) for _ in range(3)),
        caller.post(realtime),
        *(caller.get(f"/v1/summaries/{known}") for _ in range(5)),
        caller.get(f"/v1/summaries/{known}?wait=1"),
        caller.get("/v1/summaries"),
    )


async def accepted(caller: Caller) -> str:
    job: str = (await caller.post()).response.json()["id"]
    return job


async def answers_again(caller: Caller, *, since: float) -> None:
    """It heals within five seconds, and once healed it stays so."""

    async def is_accepted() -> bool:
        return (await caller.post()).status == 202

    await until(is_accepted, seconds=HEALED - (time.monotonic() - since))
    known = await accepted(caller)
    for answer in await every_way_in(caller, known):
        assert answer.status in {200, 202}, answer.code


async def test_fault_postgres_stop(
    own_postgres: OwnPostgres, own_database: Database, caller: Caller
) -> None:
    """Frozen with requests under way, then for ones that come; then it thaws."""
    known = await accepted(caller)
    await every_way_in(caller, known)
    own_postgres.freeze()
    try:
        check_refused(await every_way_in(caller, known), within=WHEN_FROZEN)
        check_refused(await every_way_in(caller, known), within=WHEN_FROZEN)
    finally:
        own_postgres.thaw()
    await answers_again(caller, since=time.monotonic())


async def test_fault_postgres_k9(
    own_postgres: OwnPostgres, own_database: Database, caller: Caller
) -> None:
    known = await accepted(caller)
    before = [answer.response.json()["id"] for answer in await many(caller, 20)]
    await own_postgres.kill()
    check_refused(await every_way_in(caller, known), within=WHEN_REFUSED)
    await own_postgres.start()
    await answers_again(caller, since=time.monotonic())
    # What was acknowledged is there.
    for job in before:
        assert (await caller.get(f"/v1/summaries/{job}")).status == 200


async def test_fault_postgres_term(own_postgres: OwnPostgres, caller: Caller) -> None:
    known = await accepted(caller)
    await own_postgres.stop()
    check_refused(await every_way_in(caller, known), within=WHEN_REFUSED)
    await own_postgres.start()
    await answers_again(caller, since=time.monotonic())


async def test_fault_postgres_rst(own_postgres: OwnPostgres, caller: Caller) -> None:
    """Restarts that nobody asks anything during cost nobody anything afterwards."""
    known = await accepted(caller)
    for _ in range(3):
        await every_way_in(caller, known)
        await own_postgres.stop()
        await own_postgres.start()
        for answer in await every_way_in(caller, known):
            assert answer.status in {200, 202}, answer.code


@pytest.mark.parametrize("way", ["refused", "swallowed", "held"])
async def test_fault_gateway_net(
    own_postgres: OwnPostgres,
    own_tenant: TenantForTests,
    own_database: Database,
    processes: Processes,
    embedded_engine_url: str,
    way: str,
) -> None:
    """The line between gateway and Postgres is cut: told in time, never accepted."""
    async with Proxy.before(own_postgres.url) as proxy:
        front = await Front(
            processes,
            proxy.url(own_postgres.url),
            realtime_engine_urls=embedded_engine_url,
        ).ready()
        async with a_caller(front.url, own_tenant) as caller:
            known = await accepted(caller)
            await every_way_in(caller, known)
            if way == "refused":
                await proxy.refuse()
            else:
                proxy.fault(Flow.LOSE if way == "swallowed" else Flow.HOLD)
            stored = await rows(own_database, "SELECT count(*) FROM job")
            for _ in range(2):
                check_refused(
                    await every_way_in(caller, known),
                    within=WHEN_REFUSED if way == "refused" else WHEN_FROZEN,
                )
            assert await rows(own_database, "SELECT count(*) FROM job") == stored
            if way == "refused":
                await proxy.accept()
            proxy.heal()
            await answers_again(caller, since=time.monotonic())


async def test_a_slow_postgres_is_waited_for(
    own_postgres: OwnPostgres, own_database: Database, caller: Caller
) -> None:
    """A statement behind a lock may take seconds: Postgres answers others meanwhile."""
    await accepted(caller)
    async with own_database.transaction() as tx:
        await tx.exec_driver_sql("LOCK TABLE lane IN EXCLUSIVE MODE")
        waiting = asyncio.create_task(caller.post())
        # Longer than a frozen one is given, and others are served all the while.
        end = time.monotonic() + 3
        while time.monotonic() < end:
            assert (await caller.get("/v1/summaries")).status == 200
            assert not waiting.done()
            await asyncio.sleep(0.1)
    answer = await waiting
    assert answer.status == 202
    assert answer.seconds > 3


async def many(caller: Caller, count: int) -> list[Timed]:
    answers = await asyncio.gather(*(caller.post() for _ in range(count)))
    assert {answer.status for answer in answers} == {202}
    return list(answers)
