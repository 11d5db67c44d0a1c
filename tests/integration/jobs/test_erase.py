"""Erasing under the lock of the job's row: nothing survives, whoever is at work."""

import asyncio
import json
from datetime import timedelta
from uuid import UUID

import psycopg
import pytest
from sqlalchemy import text as sql

from jobs.errors import JobNotFound
from jobs.lifecycle import State
from jobs.messages.webhook_event import webhook_body
from jobs.operations.claim import find_cancelled, renew_leases
from jobs.operations.erase import Replayed, erase, replay
from jobs.operations.leave import Departure, leave
from jobs.store.chunk_store import ChunkRow, PlannedChunk, plan_chunks
from jobs.store.erasure_store import (
    Erasure,
    ErasureUnknown,
    find_erasure_of,
    get_erasure,
)
from jobs.store.job_store import find_jobs, get_job
from plumbing.database import Database, Transaction
from tests.builders import TenantForTests, a_job, a_tenant, rows
from tests.integration.jobs.contents import (
    LABELS,
    NOTHING,
    WEBHOOK,
    a_finished_job,
    a_running_job,
    blocked_sessions,
    erased,
    held,
    plan,
    store,
)
from tests.waiting import until


async def test_a_finished_job_loses_all_contents_and_nothing_else(
    database: Database, tenant: TenantForTests
) -> None:
    job_id = await a_finished_job(database, tenant)
    other = await a_finished_job(database, tenant)
    before = await held(database, job_id)
    assert min(before.values()) > 0
    [job] = await rows(database, "SELECT * FROM job WHERE id = :id", id=job_id)

    erasure = await erased(database, job_id, tenant)

    assert await held(database, job_id) == NOTHING
    assert await held(database, other) == before
    [now] = await rows(database, "SELECT * FROM job WHERE id = :id", id=job_id)
    assert now._asdict() == job._asdict() | {"erased_at": erasure.erased_at}
    assert erasure.requested_at <= erasure.erased_at


@pytest.mark.parametrize("state", ["queued", "running", "retry_wait"])
async def test_a_live_job_is_cancelled_first_with_event_and_deliveries(
    database: Database, tenant: TenantForTests, state: str
) -> None:
    job_id = await _a_live_job(database, tenant, state)
    [before] = await rows(database, "SELECT fence FROM job WHERE id = :id", id=job_id)

    await erased(database, job_id, tenant)

    [job] = await rows(
        database, "SELECT state, fence, lease_until FROM job WHERE id = :id", id=job_id
    )
    assert job == ("cancelled", before.fence + 1, None)
    told = await rows(
        database,
        "SELECT e.type, d.state FROM event e JOIN delivery d ON d.event_id = e.id"
        " WHERE e.job_id = :id",
        id=job_id,
    )
    assert told == [("summary.cancelled", "due")]
    assert await held(database, job_id) == NOTHING


async def test_the_worker_of_an_erased_job_is_told_and_writes_nothing(
    database: Database, tenant: TenantForTests
) -> None:
    claimed = await a_running_job(database, tenant)
    await plan(database, claimed)
    await erased(database, claimed.id, tenant)

    async with database.statement() as tx:
        assert await find_cancelled(tx, [claimed.id]) == {claimed.id}
    assert await plan(database, claimed) == set()
    assert await store(database, claimed) == set()
    async with database.statement() as tx:
        assert await renew_leases(tx, [claimed], lease=timedelta(minutes=1)) == {}
    wish = Departure(id=claimed.id, fence=claimed.fence, wish=State.QUEUED)
    async with database.statement() as tx:
        assert await leave(tx, [wish]) == {}
    assert await held(database, claimed.id) == NOTHING


async def test_a_repeat_gives_the_same_receipt_even_at_the_same_time(
    database: Database, tenant: TenantForTests
) -> None:
    job_id = await a_finished_job(database, tenant)
    receipts = await asyncio.gather(
        *(erased(database, job_id, tenant) for _ in range(6))
    )
    assert len(set(receipts)) == 1
    assert await erased(database, job_id, tenant) == receipts[0]
    assert await rows(database, "SELECT count(*) FROM erasure") == [(1,)]


async def test_foreign_and_unknown_jobs_and_receipts_are_not_found(
    database: Database, tenant: TenantForTests
) -> None:
    stranger = await a_tenant(database)
    job_id = await a_finished_job(database, tenant)
    before = await held(database, job_id)
    with pytest.raises(JobNotFound):
        await erased(database, job_id, stranger)
    assert await held(database, job_id) == before

    erasure = await erased(database, job_id, tenant)
    async with database.statement() as tx:
        assert await get_erasure(tx, erasure.id, tenant_id=tenant.id) == erasure
        with pytest.raises(ErasureUnknown):
            await get_erasure(tx, erasure.id, tenant_id=stranger.id)


async def test_no_chunk_survives_whose_writer_held_the_job_before(
    database: Database, tenant: TenantForTests
) -> None:
    """The erasure waits for the writer, and must then see what was written."""
    claimed = await a_running_job(database, tenant)
    async with database.transaction() as writer:
        await _plan_in(writer, claimed.id, claimed.fence)
        erasing = asyncio.create_task(erased(database, claimed.id, tenant))
        await until(lambda: blocked_sessions(database, at_least=1))
    await erasing
    assert await held(database, claimed.id) == NOTHING


async def test_no_chunk_survives_whose_writer_waited_for_the_erasure(
    database: Database, tenant: TenantForTests
) -> None:
    claimed = await a_running_job(database, tenant)
    async with database.transaction() as tx:
        await erase(tx, claimed.id, tenant_id=tenant.id)
        writing = asyncio.create_task(plan(database, claimed))
        await until(lambda: blocked_sessions(database, at_least=1))
    assert await writing == set()
    assert await held(database, claimed.id) == NOTHING


async def test_no_chunk_survives_writers_and_erasures_all_at_once(
    database: Database, tenant: TenantForTests
) -> None:
    for _ in range(25):
        claimed = await a_running_job(database, tenant)
        await asyncio.gather(
            plan(database, claimed),
            store(database, claimed),
            erased(database, claimed.id, tenant),
            plan(database, claimed),
            store(database, claimed),
        )
        assert await held(database, claimed.id) == NOTHING


async def test_a_frozen_body_goes_on_without_the_callers_metadata(
    database: Database, tenant: TenantForTests
) -> None:
    job_id = await a_finished_job(database, tenant, delivery=WEBHOOK)
    frozen = await _freeze(database, job_id)
    assert json.loads(frozen)["data"]["metadata"] == LABELS

    await erased(database, job_id, tenant)

    body = json.loads(await _frozen(database, job_id))
    expected = json.loads(frozen)
    expected["data"]["metadata"] = {}
    assert body == expected


async def test_a_body_frozen_too_late_brings_no_metadata_back(
    database: Database, tenant: TenantForTests
) -> None:
    """The notifier read the job before the erasure and freezes what it made of it."""
    job_id = await a_finished_job(database, tenant, delivery=WEBHOOK)
    [event] = await rows(database, "SELECT * FROM event WHERE job_id = :id", id=job_id)
    async with database.statement() as tx:
        job = (await find_jobs(tx, [job_id]))[job_id]
    late = webhook_body(event.type, happened_at=event.created_at, job=job)

    await erased(database, job_id, tenant)
    async with database.statement() as tx:
        await tx.execute(
            sql("UPDATE event SET body = coalesce(body, :body) WHERE job_id = :id"),
            {"body": late, "id": job_id},
        )
    assert b"Ada" in late
    assert b"Ada" not in await _frozen(database, job_id)


async def test_the_ledger_can_be_neither_rewritten_nor_emptied(
    database: Database, database_url: str, tenant: TenantForTests
) -> None:
    job_id = await a_finished_job(database, tenant)
    await erased(database, job_id, tenant)
    for statement in (
        "UPDATE erasure SET erased_at = now()",
        "DELETE FROM erasure",
        "TRUNCATE erasure",
    ):
        with (
            psycopg.connect(database_url) as connection,
            pytest.raises(psycopg.errors.CheckViolation, match="append-only"),
        ):
            connection.execute(statement)


async def test_a_job_that_retention_emptied_gets_a_receipt_of_that_time(
    database: Database, tenant: TenantForTests
) -> None:
    job_id = await a_finished_job(database, tenant)
    async with database.transaction() as tx:
        await tx.execute(
            sql("UPDATE job SET erased_at = '2026-01-01Z' WHERE id = :id"),
            {"id": job_id},
        )
    erasure = await erased(database, job_id, tenant)
    assert erasure.erased_at.isoformat() == "2026-01-01T00:00:00+00:00"


async def test_a_replay_erases_once_and_tells_what_it_met(
    database: Database, tenant: TenantForTests
) -> None:
    job_id = await a_finished_job(database, tenant)
    erasure = await erased(database, await a_finished_job(database, tenant), tenant)
    ledger = Erasure(
        id=UUID(int=erasure.id.int + 1),
        job_id=job_id,
        tenant_id=tenant.id,
        requested_at=erasure.requested_at,
        erased_at=erasure.erased_at,
    )
    unknown = Erasure(
        id=UUID(int=erasure.id.int + 2),
        job_id=UUID(int=7),
        tenant_id=tenant.id,
        requested_at=erasure.requested_at,
        erased_at=erasure.erased_at,
    )
    met = []
    for each in (erasure, ledger, ledger, unknown, unknown):
        async with database.transaction() as tx:
            met.append(await replay(tx, each))
    assert met == [
        Replayed.GONE,
        Replayed.ERASED,
        Replayed.GONE,
        Replayed.UNKNOWN,
        Replayed.UNKNOWN,
    ]
    assert await held(database, job_id) == NOTHING
    async with database.statement() as tx:
        assert await find_erasure_of(tx, job_id) == ledger
        assert await find_erasure_of(tx, unknown.job_id) == unknown
        job = await get_job(tx, job_id, tenant_id=tenant.id)
    assert job.erased_at is not None


async def _a_live_job(database: Database, tenant: TenantForTests, state: str) -> UUID:
    if state == "queued":
        return await a_job(database, tenant, metadata=LABELS, delivery=WEBHOOK)
    claimed = await a_running_job(database, tenant, delivery=WEBHOOK)
    await plan(database, claimed)
    if state == "retry_wait":
        wish = Departure(id=claimed.id, fence=claimed.fence, wish=State.RETRY_WAIT)
        async with database.statement() as tx:
            await leave(tx, [wish])
    return claimed.id


async def _plan_in(tx: Transaction, job_id: UUID, fence: int) -> None:
    row = ChunkRow(job_id=job_id, stage=0, idx=0, start=0, end=5, tokens=1)
    assert await plan_chunks(tx, [PlannedChunk(row=row, fence=fence)]) == {job_id}


async def _freeze(database: Database, job_id: UUID) -> bytes:
    """As the notifier does before the first attempt."""
    [event] = await rows(database, "SELECT * FROM event WHERE job_id = :id", id=job_id)
    async with database.statement() as tx:
        job = (await find_jobs(tx, [job_id]))[job_id]
        body = webhook_body(event.type, happened_at=event.created_at, job=job)
        await tx.execute(
            sql("UPDATE event SET body = :body WHERE job_id = :id"),
            {"body": body, "id": job_id},
        )
    return body


async def _frozen(database: Database, job_id: UUID) -> bytes:
    [row] = await rows(database, "SELECT body FROM event WHERE job_id = :id", id=job_id)
    return bytes(row.body)
