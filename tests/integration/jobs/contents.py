"""Jobs with something to lose, and a look at everything that is still held of them."""

import asyncio
from typing import Any
from uuid import UUID

from sqlalchemy import text as sql

from jobs.lifecycle import State
from jobs.operations.claim import Claim
from jobs.operations.erase import erase
from jobs.operations.leave import Departure, SealedResult, leave
from jobs.store.chunk_store import (
    ChunkResult,
    ChunkRow,
    PlannedChunk,
    plan_chunks,
    store_results,
)
from jobs.store.erasure_store import Erasure
from plumbing.database import Database
from tests.builders import TenantForTests, a_job, claim_jobs, rows

TABLES = ("job_key", "job_input", "chunk", "summary", "citation", "job_metadata")
NOTHING = dict.fromkeys(TABLES, 0)
LABELS = {"patient": "Ada"}
WEBHOOK = {
    "webhook_url": "https://hooks.example.com/",
    "webhook_lane": "host:hooks.example.com",
}


async def a_running_job(
    database: Database, tenant: TenantForTests, **changes: Any
) -> Claim:
    await a_job(database, tenant, **({"metadata": LABELS} | changes))
    [claimed] = await claim_jobs(database)
    return claimed


async def a_finished_job(
    database: Database, tenant: TenantForTests, **changes: Any
) -> UUID:
    """A job that succeeded, with a row in every table that an erasure empties."""
    claimed = await a_running_job(database, tenant, **changes)
    await plan(database, claimed)
    await store(database, claimed)
    result = SealedResult(
        summary=b"sealed",
        citations=b"sealed",
        prompt_tokens=10,
        completion_tokens=5,
        provenance={},
    )
    departure = Departure(
        id=claimed.id, fence=claimed.fence, wish=State.SUCCEEDED, result=result
    )
    async with database.statement() as tx:
        assert await leave(tx, [departure]) == {claimed.id: State.SUCCEEDED}
    return claimed.id


async def plan(database: Database, held: Claim) -> set[UUID]:
    row = ChunkRow(
        job_id=held.id, stage=0, idx=0, start=0, end=held.characters, tokens=1
    )
    async with database.statement() as tx:
        return await plan_chunks(tx, [PlannedChunk(row=row, fence=held.fence)])


async def store(database: Database, held: Claim) -> set[UUID]:
    result = ChunkResult(
        job_id=held.id,
        fence=held.fence,
        stage=0,
        idx=0,
        sealed=b"sealed",
        prompt_tokens=10,
        completion_tokens=5,
    )
    async with database.statement() as tx:
        return await store_results(tx, [result])


async def erased(database: Database, job_id: UUID, tenant: TenantForTests) -> Erasure:
    async with database.transaction() as tx:
        return await erase(tx, job_id, tenant_id=tenant.id)


async def held(database: Database, job_id: UUID) -> dict[str, int]:
    """How many rows each table of contents has of the job."""
    found = {}
    for table in TABLES:
        [row] = await rows(
            database, f"SELECT count(*) FROM {table} WHERE job_id = :id", id=job_id
        )
        found[table] = row[0]
    return found


async def age(database: Database, job_id: UUID, *, by: str) -> None:
    """Let the job have ended earlier; by hand, since no statement of ours can."""
    async with database.transaction() as tx:
        await tx.execute(sql("SET LOCAL session_replication_role = replica"))
        await tx.execute(
            sql(
                "UPDATE event SET created_at = created_at - CAST(:by AS interval)"
                " WHERE job_id = :id"
            ),
            {"by": by, "id": job_id},
        )


async def blocked_sessions(database: Database, *, at_least: int) -> bool:
    """Whether so many sessions of this database wait for a lock."""
    await asyncio.sleep(0)
    [row] = await rows(
        database,
        "SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock'"
        " AND datname = current_database()",
    )
    return bool(row[0] >= at_least)
