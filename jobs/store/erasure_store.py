"""The ledger of erasures: which job was erased on its tenant's demand, and when.

Append-only and kept for ever: it answers for the receipts, and is exported so that a
restored backup can be told again what has to be gone. Ids and times, nothing else.
"""

from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final
from uuid import UUID

from sqlalchemy import text

from jobs.errors import JobError
from plumbing.database import Transaction


@dataclass(frozen=True, slots=True, kw_only=True)
class Erasure:
    id: UUID
    job_id: UUID
    tenant_id: UUID
    requested_at: datetime
    erased_at: datetime


class ErasureUnknown(JobError):
    """No such erasure, or not this tenant's."""


_COLUMNS: Final = "id, job_id, tenant_id, requested_at, erased_at"
_GET: Final = f"SELECT {_COLUMNS} FROM erasure WHERE id = :id AND tenant_id = :tenant"
_FIND: Final = f"SELECT {_COLUMNS} FROM erasure WHERE job_id = :job"
_LIST: Final = f"""
SELECT {_COLUMNS} FROM erasure
WHERE (CAST(:after AS uuid) IS NULL OR id > CAST(:after AS uuid))
  AND (CAST(:since AS timestamptz) IS NULL
       OR requested_at >= CAST(:since AS timestamptz))
ORDER BY id LIMIT :limit
"""
_RECORD: Final = f"""
INSERT INTO erasure ({_COLUMNS})
VALUES (:id, :job_id, :tenant_id, :requested_at, :erased_at)
ON CONFLICT DO NOTHING
"""


async def get_erasure(tx: Transaction, erasure_id: UUID, *, tenant_id: UUID) -> Erasure:
    """The tenant's erasure; `ErasureUnknown` alike for unknown and foreign ids."""
    values = {"id": erasure_id, "tenant": tenant_id}
    row = (await tx.execute(text(_GET), values)).first()
    if row is None:
        raise ErasureUnknown(str(erasure_id))
    return _erasure(row)


async def find_erasure_of(tx: Transaction, job_id: UUID) -> Erasure | None:
    row = (await tx.execute(text(_FIND), {"job": job_id})).first()
    return _erasure(row) if row else None


async def list_erasures(
    tx: Transaction, *, since: datetime | None, after: UUID | None, limit: int
) -> list[Erasure]:
    """The next erasures in the order of their ids, of all tenants."""
    values = {"since": since, "after": after, "limit": limit}
    return [_erasure(row) for row in await tx.execute(text(_LIST), values)]


async def record_erasure(tx: Transaction, erasure: Erasure) -> bool:
    """Write it into the ledger; False: the ledger knows of it."""
    values = {
        "id": erasure.id,
        "job_id": erasure.job_id,
        "tenant_id": erasure.tenant_id,
        "requested_at": erasure.requested_at,
        "erased_at": erasure.erased_at,
    }
    return (await tx.execute(text(_RECORD), values)).rowcount == 1


def _erasure(row: Any) -> Erasure:
    return Erasure(
        id=row.id,
        job_id=row.job_id,
        tenant_id=row.tenant_id,
        requested_at=row.requested_at,
        erased_at=row.erased_at,
    )
