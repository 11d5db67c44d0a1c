"""What may wait: the limits, who runs into them, and that nothing is stored then."""

import asyncio
import time
from typing import Any

import pytest

from gateway.parts.backlog import Backlog, Limits
from gateway.problems.answers import RequestRefused
from jobs.operations.cancel import cancel
from jobs.operations.submit import submit
from jobs.store.backlog_store import Load
from plumbing.database import Database
from tests.builders import a_job, a_submission, a_tenant, claim_jobs, rows
from tests.integration.realtime.doors import SHORT, Door, a_door
from tests.waiting import until

PLENTY = Load(1000, 10**9)


async def a_backlog(
    database: Database, *, tenant: Load = PLENTY, whole: Load = PLENTY
) -> Backlog:
    opened = Backlog(database, limits=Limits(tenant, whole))
    await opened.look()
    return opened


def refusal(backlog: Backlog, tenant_id: Any, load: Load) -> str | None:
    try:
        backlog.admit(tenant_id, load)
    except RequestRefused as refused:
        return refused.code
    return None


async def test_what_waits_is_counted_however_it_came_and_went(
    database: Database,
) -> None:
    """Every job that waits weighs its sealed text, and no other job weighs anything."""
    tenant = await a_tenant(database)
    backlog = await a_backlog(database)

    async def waiting() -> Load:
        backlog._count_at = 0
        await backlog.look()
        return backlog._of_tenant(tenant.id)

    assert await waiting() == Load(0, 0)
    ids = [await a_job(database, tenant) for _ in range(4)]
    (sizes,) = await rows(
        database, "SELECT count(*), sum(octet_length(sealed)) FROM job_input"
    )
    assert await waiting() == Load(*sizes)
    assert sizes[0] == 4
    await claim_jobs(database, count=1)
    assert (await waiting()).jobs == 3
    async with database.transaction() as tx:
        await cancel(tx, ids[-1], tenant_id=tenant.id)
    assert (await waiting()).jobs == 2


async def test_a_tenant_over_its_limit_is_refused_and_another_is_not(
    database: Database,
) -> None:
    full, other = await a_tenant(database), await a_tenant(database)
    for _ in range(3):
        await a_job(database, full)
    backlog = await a_backlog(database, tenant=Load(3, 10**9))
    assert refusal(backlog, full.id, Load(1, 1)) == "quota_exceeded"
    assert refusal(backlog, other.id, Load(1, 1)) is None


async def test_bytes_count_as_well_as_jobs(database: Database) -> None:
    tenant = await a_tenant(database)
    await a_job(database, tenant, text="word " * 300)
    backlog = await a_backlog(database, tenant=Load(100, 3000))
    assert refusal(backlog, tenant.id, Load(1, 1000)) is None
    assert refusal(backlog, tenant.id, Load(1, 1000)) == "quota_exceeded"


async def test_the_whole_is_limited_whosever_it_is(database: Database) -> None:
    tenants = [await a_tenant(database) for _ in range(3)]
    for tenant in tenants:
        await a_job(database, tenant)
    backlog = await a_backlog(database, whole=Load(3, 10**9))
    newcomer = await a_tenant(database)
    assert refusal(backlog, newcomer.id, Load(1, 1)) == "temporary_reduced_capacity"


async def test_others_admissions_are_seen_before_the_dear_count(
    database: Database,
) -> None:
    """However seldom what is gone is counted, what comes in is seen by the next look."""
    tenant = await a_tenant(database)
    backlog = await a_backlog(database, tenant=Load(50, 10**9))
    backlog._count_at = time.monotonic() + 20
    submissions = [a_submission(tenant.id) for _ in range(50)]
    async with database.statement() as tx:
        await submit(tx, submissions)
    await backlog.look()
    assert refusal(backlog, tenant.id, Load(1, 1)) == "quota_exceeded"


async def test_own_admissions_count_at_once_and_are_not_counted_twice(
    database: Database,
) -> None:
    tenant = await a_tenant(database)
    backlog = await a_backlog(database, tenant=Load(10, 10**9))
    for _ in range(10):
        assert refusal(backlog, tenant.id, Load(1, 1)) is None
    assert refusal(backlog, tenant.id, Load(1, 1)) == "quota_exceeded"
    # They came to nothing (a lost commit, say): the next look knows it.
    await backlog.look()
    assert refusal(backlog, tenant.id, Load(1, 1)) is None


@pytest.fixture
def narrow() -> dict[str, int]:
    return {"tenant_waiting_jobs": 5}


async def _fill(door: Door, count: int) -> None:
    for number in range(count):
        answer = await door.post({"tier": "batch"}, Idempotency_Key=f"kept {number}")
        assert answer.status_code == 202


async def test_the_door_refuses_keeps_its_promises_and_lets_realtime_pass(
    database_url: str, engine_url: str, narrow: dict[str, int]
) -> None:
    async with a_door(database_url, engine_url, **narrow) as door:
        await _fill(door, 5)
        stored = await door.count_rows()
        refused = await door.post({"tier": "batch"}, Idempotency_Key="new")
        assert (refused.status_code, refused.json()["code"]) == (429, "quota_exceeded")
        assert refused.json()["violated-policies"] == ["waiting-jobs"]
        assert int(refused.headers["retry-after"]) >= 1
        assert await door.count_rows() == stored
        # What was accepted is answered again; what is short is served at once.
        again = await door.post({"tier": "batch"}, Idempotency_Key="kept 3")
        assert again.status_code == 202
        assert again.headers["idempotency-replayed"] == "true"
        served = await door.post({"tier": "realtime"})
        assert served.status_code == 200
        # Once one has gone, one may come.
        await door.client.post(again.json()["links"]["cancel"])

        async def has_room() -> bool:
            answer = await door.post({"tier": "batch"}, Idempotency_Key="new")
            return answer.status_code == 202

        await until(has_room, seconds=10)
        last = await door.post({"tier": "batch"})
        assert last.status_code == 429


async def test_a_full_house_is_said_to_everyone(
    database_url: str, engine_url: str
) -> None:
    async with a_door(database_url, engine_url, waiting_jobs=5) as door:
        await _fill(door, 5)
        refused = await door.post({"tier": "batch"})
        assert refused.status_code == 503
        assert refused.json()["code"] == "temporary_reduced_capacity"
        assert int(refused.headers["retry-after"]) >= 1


async def test_a_second_of_admissions_is_all_that_goes_over(
    database_url: str, narrow: dict[str, int]
) -> None:
    """Two gateways that know of each other only by Postgres; all at the same moment."""
    async with a_door(database_url, **narrow) as one, a_door(database_url) as two:
        # One tenant at both doors.
        two.client.headers["Authorization"] = one.client.headers["Authorization"]
        await _fill(two, 5)

        async def is_seen() -> bool:
            return (await one.post({"tier": "batch"})).status_code == 429

        await until(is_seen, seconds=3)
        together = [one.post({"tier": "batch", "text": SHORT}) for _ in range(40)]
        answers = await asyncio.gather(*together)
        assert {answer.status_code for answer in answers} == {429}
