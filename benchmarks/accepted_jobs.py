"""Jobs as the gateway would have accepted them, and whether they ended as promised."""

import asyncio
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Final
from uuid import UUID

from sqlalchemy import text

from benchmarks.surroundings import Bench
from benchmarks.texts import short_texts
from jobs.ids import new_id
from jobs.operations.submit import NewJob, Submission, submit
from jobs.store.sealed import JobSeal
from jobs.summarizing.tokens import estimate_tokens
from plumbing.database import Database
from plumbing.sealing import DataKey, MasterKey

_ROWS_PER_STATEMENT: Final = 500
_REALTIME_TOKENS: Final = 3000


async def accept(bench: Bench, texts: Sequence[str]) -> tuple[list[UUID], datetime]:
    """Commit a job for each text, all at once; gives their ids and Postgres's clock."""
    tenant_id = await _tenant(bench.database)
    new = [_submission(each, tenant_id, bench.master_key) for each in texts]
    async with bench.database.transaction() as tx:
        for at in range(0, len(new), _ROWS_PER_STATEMENT):
            await submit(tx, new[at : at + _ROWS_PER_STATEMENT])
    async with bench.database.statement() as tx:
        now: datetime = await tx.scalar(text("SELECT clock_timestamp()"))
    return [each.job.id for each in new], now


async def accept_short(bench: Bench, count: int) -> tuple[list[UUID], datetime]:
    return await accept(bench, list(short_texts(count)))


# Each arm is one look into a small partial index: who watches must not be the load.
_UNFINISHED: Final = " OR ".join(
    f"EXISTS (SELECT FROM job WHERE state = '{state}')"
    for state in ("queued", "running", "retry_wait")
)
_LOOK_EVERY_SECONDS: Final = 0.1


async def all_ended(database: Database) -> bool:
    await asyncio.sleep(_LOOK_EVERY_SECONDS)
    async with database.statement() as tx:
        return not await tx.scalar(text(f"SELECT {_UNFINISHED}"))


_WHOLE: Final = """
SELECT count(*) FILTER (WHERE j.state = 'succeeded' AND j.coverage = 1 AND j.fence = 2),
       (SELECT count(*) FROM summary WHERE job_id = ANY(:ids)),
       (SELECT count(*) FROM event WHERE job_id = ANY(:ids)),
       (SELECT count(DISTINCT job_id) FROM chunk
        WHERE job_id = ANY(:ids) AND state = 'done' AND sealed IS NOT NULL),
       max(j.finished_at)
FROM job j WHERE j.id = ANY(:ids)
"""


async def last_end(database: Database, ids: Sequence[UUID]) -> datetime:
    """When the last of them ended; every one must have done so whole, and once.

    A fence of 2 says that each was claimed once and left once.
    """
    async with database.statement() as tx:
        row = (await tx.execute(text(_WHOLE), {"ids": list(ids)})).one()
    *counts, ended_at = row
    if counts != [len(ids)] * len(counts):
        raise AssertionError(f"of {len(ids)} jobs only {counts} are whole")
    assert isinstance(ended_at, datetime)
    return ended_at


async def _tenant(database: Database) -> UUID:
    async with database.statement() as tx:
        found: UUID = await tx.scalar(text("SELECT id FROM tenant"))
    return found


def _submission(content: str, tenant_id: UUID, master_key: MasterKey) -> Submission:
    job_id = new_id()
    seal = JobSeal(job_id, DataKey.generate())
    job = NewJob(
        id=job_id,
        tenant_id=tenant_id,
        tier="batch",
        routing_reason="asked",
        tokens=estimate_tokens(content),
        threshold=_REALTIME_TOKENS,
        characters=len(content),
        options={"length": "medium", "citations": False},
        delivery=None,
        metadata={},
        deadline=datetime.now(UTC) + timedelta(hours=24),
        wrapped_key=seal.wrapped(master_key),
        idempotency_key=None,
        fingerprint=None,
    )
    return Submission(job=job, sealed_text=seal.seal_text(content), reserved=False)
