"""Erase: a job's contents are gone at once, its bookkeeping and a receipt stay.

A live job is ended first, as cancelled, in the same transaction and even while it runs:
the fence rises, so its worker writes into the void. Everything happens under the lock
of the job's row, which is taken by a statement of its own: a chunk whose writer was
first is then seen and deleted, one whose writer waits meets another fence.
"""

from enum import StrEnum
from typing import Any, Final
from uuid import UUID

from sqlalchemy import text

from jobs.errors import JobNotFound
from jobs.ids import new_id
from jobs.lifecycle import FINAL, State, sources, sql_list
from jobs.operations.ending import ENDING_EFFECTS
from jobs.operations.wipe import wipe
from jobs.store.erasure_store import Erasure, find_erasure_of, record_erasure
from plumbing.database import Transaction

_LOCK: Final = """
SELECT state, erased_at, transaction_timestamp() AS asked_at FROM job
WHERE id = :id AND tenant_id = :tenant FOR NO KEY UPDATE
"""

_END: Final = f"""
WITH changed AS (
    UPDATE job j
    SET state = 'cancelled', fence = j.fence + 1, version = j.version + 1,
        lease_until = NULL, worker_id = NULL, finished_at = statement_timestamp()
    WHERE j.id = :id AND j.state IN ({sql_list(sources("erase"))})
    RETURNING j.id, j.tenant_id, j.state, j.version, j.delivery
), {ENDING_EFFECTS}
SELECT id FROM changed
"""

_ERASED_AT: Final = "SELECT erased_at FROM job WHERE id = :id"


async def erase(tx: Transaction, job_id: UUID, *, tenant_id: UUID) -> Erasure:
    """Erase the tenant's job, or raise `JobNotFound`; a repeat gives the same receipt.

    Needs a `transaction()`.
    """
    job = await _lock(tx, job_id, tenant_id)
    if job is None:
        raise JobNotFound(str(job_id))
    earlier = await find_erasure_of(tx, job_id)
    if earlier is not None:
        return earlier
    await _end_and_wipe(tx, job_id, state=State(job.state))
    erasure = Erasure(
        id=new_id(),
        job_id=job_id,
        tenant_id=tenant_id,
        requested_at=job.asked_at,
        erased_at=await tx.scalar(text(_ERASED_AT), {"id": job_id}),
    )
    await record_erasure(tx, erasure)
    return erasure


class Replayed(StrEnum):
    """What an erasure of the ledger met in the database."""

    ERASED = "erased"
    GONE = "gone"
    """It was done already."""
    UNKNOWN = "unknown"
    """The database has no such job."""


async def replay(tx: Transaction, erasure: Erasure) -> Replayed:
    """Do an erasure of the ledger again, for a database that may be older than it.

    The receipt is put back in every case. Needs a `transaction()`.
    """
    job = await _lock(tx, erasure.job_id, erasure.tenant_id)
    await record_erasure(tx, erasure)
    if job is None:
        return Replayed.UNKNOWN
    if job.erased_at is not None:
        return Replayed.GONE
    await _end_and_wipe(tx, erasure.job_id, state=State(job.state))
    return Replayed.ERASED


async def _lock(tx: Transaction, job_id: UUID, tenant_id: UUID) -> Any:
    found = await tx.execute(text(_LOCK), {"id": job_id, "tenant": tenant_id})
    return found.first()


async def _end_and_wipe(tx: Transaction, job_id: UUID, *, state: State) -> None:
    if state not in FINAL:
        await tx.execute(text(_END), {"id": job_id})
    await wipe(tx, [job_id])
