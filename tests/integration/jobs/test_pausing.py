"""A paused tenant's jobs wait aside, lose nothing, and come back in a fair order."""

from datetime import UTC, datetime, timedelta
from uuid import UUID

from sqlalchemy import text

from jobs.lifecycle import State
from jobs.operations.cancel import cancel
from jobs.operations.pause import BEGINNING, count_aside, put_back, set_aside
from jobs.operations.wait import expire_overdue, wake_due
from jobs.store.pause_store import Scope, begin_pause, begin_resume, list_pauses
from jobs.store.worker_store import read_load, report_worker
from plumbing.database import Database
from tests.builders import TenantForTests, a_job, a_tenant, claim_jobs, rows


async def _pause(database: Database, tenant: TenantForTests) -> None:
    async with database.statement() as tx:
        assert await begin_pause(
            tx, Scope.TENANT, str(tenant.id), tenant_id=tenant.id, actor="ops"
        )


async def _resume(database: Database, tenant: TenantForTests) -> None:
    async with database.statement() as tx:
        assert await begin_resume(tx, Scope.TENANT, str(tenant.id), actor="ops")


async def _set_aside(database: Database, tenant: TenantForTests) -> int:
    reached, moved = BEGINNING, 0
    while True:
        async with database.statement() as tx:
            found = await set_aside(tx, tenant.id, after=reached)
        if found is None:
            return moved
        reached, moved = found, moved + found.moved


async def _put_back(database: Database, tenant: TenantForTests) -> int:
    reached, moved = BEGINNING, 0
    while True:
        async with database.statement() as tx:
            found = await put_back(tx, tenant.id, after=reached)
        if found is None:
            return moved
        reached, moved = found, moved + found.moved


async def test_nothing_of_a_paused_tenant_is_claimed_and_nothing_is_lost(
    database: Database,
) -> None:
    tenant, other = await a_tenant(database), await a_tenant(database)
    mine = [await a_job(database, tenant) for _ in range(5)]
    theirs = await a_job(database, other)
    await _pause(database, tenant)

    # At once, though nothing was set aside yet.
    assert [c.id for c in await claim_jobs(database, count=10)] == [theirs]
    assert await _set_aside(database, tenant) == 5
    assert await claim_jobs(database, count=10) == []
    async with database.statement() as tx:
        assert await count_aside(tx, tenant.id, enough=100) == 5
        assert (await read_load(tx, enough=10)).due == 0

    await _resume(database, tenant)
    assert await _put_back(database, tenant) == 5
    claimed = await claim_jobs(database, count=10)
    assert [c.id for c in claimed] == mine
    assert all(c.attempt == 1 for c in claimed)


async def test_a_long_pause_does_not_let_a_tenant_overtake_the_others(
    database: Database,
) -> None:
    """Its thousand old jobs come back spaced by their tokens, not all at the clock."""
    tenant, other = await a_tenant(database), await a_tenant(database)
    for _ in range(20):
        await a_job(database, tenant, tokens=1000)
    await _pause(database, tenant)
    await _set_aside(database, tenant)
    for _ in range(3):
        await a_job(database, other, tokens=50_000)
        await claim_jobs(database)
    await _resume(database, tenant)
    await _put_back(database, tenant)
    latecomer = await a_job(database, other, tokens=1000)

    order = [c.id for c in await claim_jobs(database, count=21)]
    tags = [row.tag for row in await rows(database, "SELECT tag FROM job ORDER BY tag")]
    assert len(order) == 21
    assert tags[-1] < 1 << 62
    [mine] = await rows(
        database,
        "SELECT count(DISTINCT tag) AS tags, max(tag) - min(tag) AS span FROM job"
        " WHERE tenant_id = :tenant",
        tenant=tenant.id,
    )
    assert (mine.tags, mine.span) == (20, 19_000)
    assert latecomer in order
    [(tail,)] = await rows(
        database, "SELECT tail FROM lane WHERE tenant_id = :t", t=tenant.id
    )
    assert tail > max(tags) - 50_000


async def test_hints_are_sent_anew_for_jobs_that_come_back(database: Database) -> None:
    tenant = await a_tenant(database)
    job_id = await a_job(database, tenant)
    await _pause(database, tenant)
    await _set_aside(database, tenant)
    async with database.statement() as tx:
        await tx.execute(text("DELETE FROM outbox"))
    await _resume(database, tenant)
    await _put_back(database, tenant)
    assert await rows(database, "SELECT job_id FROM outbox") == [(job_id,)]


async def test_cancels_and_deadlines_work_aside(database: Database) -> None:
    tenant = await a_tenant(database)
    cancelled = await a_job(database, tenant)
    late = await a_job(database, tenant)
    await _pause(database, tenant)
    await _set_aside(database, tenant)
    async with database.statement() as tx:
        assert await cancel(tx, cancelled, tenant_id=tenant.id) is State.CANCELLED
    await _pass_deadline(database, late)
    async with database.statement() as tx:
        assert await expire_overdue(tx) == [late]
    await _resume(database, tenant)
    assert await _put_back(database, tenant) == 0


async def _pass_deadline(database: Database, job_id: UUID) -> None:
    async with database.statement() as tx:
        await tx.execute(
            text("UPDATE job SET deadline = :then WHERE id = :id"),
            {"then": datetime.now(UTC) - timedelta(seconds=1), "id": job_id},
        )


async def test_jobs_that_come_while_the_tenant_is_paused_wait_aside_too(
    database: Database,
) -> None:
    tenant = await a_tenant(database)
    first = await a_job(database, tenant)
    await _pause(database, tenant)
    await _set_aside(database, tenant)
    later = await a_job(database, tenant)
    async with database.statement() as tx:
        assert await count_aside(tx, tenant.id, enough=10) == 2
    assert await claim_jobs(database, count=10) == []
    await _resume(database, tenant)
    await _put_back(database, tenant)
    assert [c.id for c in await claim_jobs(database, count=10)] == [first, later]


async def test_a_job_whose_wait_ends_meanwhile_is_woken_aside(
    database: Database,
) -> None:
    tenant = await a_tenant(database)
    job_id = await a_job(database, tenant)
    await claim_jobs(database)
    async with database.statement() as tx:
        await tx.execute(
            text(
                "UPDATE job SET state = 'retry_wait', fence = fence + 1, run_at = now(),"
                " version = version + 1, lease_until = NULL, worker_id = NULL"
            )
        )
    await _pause(database, tenant)
    async with database.statement() as tx:
        assert await wake_due(tx) == 1
    assert await claim_jobs(database, count=10) == []
    await _resume(database, tenant)
    await _put_back(database, tenant)
    assert [c.id for c in await claim_jobs(database)] == [job_id]


async def test_a_paused_tier_or_pool_has_no_room_and_nothing_is_claimed(
    database: Database,
) -> None:
    tenant = await a_tenant(database)
    job_id = await a_job(database, tenant)
    async with database.statement() as tx:
        await report_worker(tx, "w", slots=8)
    for scope in (Scope.TIER, Scope.POOL):
        async with database.statement() as tx:
            assert await begin_pause(tx, scope, "batch", tenant_id=None, actor="ops")
            assert not await begin_pause(
                tx, scope, "batch", tenant_id=None, actor="ops"
            )
            load = await read_load(tx, enough=10)
        assert (load.workers, load.slots, load.due) == (1, 0, 1)
        assert await claim_jobs(database, count=10) == []
        async with database.statement() as tx:
            assert await begin_resume(tx, scope, "batch", actor="ops")
            assert not await begin_resume(tx, scope, "batch", actor="ops")
    assert [c.id for c in await claim_jobs(database)] == [job_id]


async def test_a_pause_of_realtime_leaves_batch_alone(database: Database) -> None:
    tenant = await a_tenant(database)
    job_id = await a_job(database, tenant)
    async with database.statement() as tx:
        await begin_pause(tx, Scope.TIER, "realtime", tenant_id=None, actor="ops")
    assert [c.id for c in await claim_jobs(database)] == [job_id]


async def test_a_resume_may_be_taken_back(database: Database) -> None:
    tenant = await a_tenant(database)
    await a_job(database, tenant)
    await _pause(database, tenant)
    await _set_aside(database, tenant)
    await _resume(database, tenant)
    await _pause(database, tenant)
    async with database.statement() as tx:
        [pause] = await list_pauses(tx)
    assert pause.step == "pausing"
    assert await claim_jobs(database, count=10) == []
