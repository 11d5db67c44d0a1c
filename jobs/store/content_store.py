"""The sealed contents of jobs: texts for the workers, summaries for their owners."""

from dataclasses import dataclass
from typing import Final
from uuid import UUID

from sqlalchemy import text

from jobs.errors import LeaseLost
from plumbing.database import Transaction

_TEXT: Final = """
SELECT i.sealed FROM job_input i JOIN job j ON j.id = i.job_id
WHERE j.id = :id AND j.fence = :fence
"""


async def get_text(tx: Transaction, job_id: UUID, *, fence: int) -> bytes:
    """The sealed text of a job that the caller holds."""
    found = await tx.execute(text(_TEXT), {"id": job_id, "fence": fence})
    row = found.first()
    if row is None:
        raise LeaseLost(str(job_id))
    sealed: bytes = row.sealed
    return sealed


@dataclass(frozen=True, slots=True, kw_only=True)
class SealedSummary:
    wrapped_key: bytes
    summary: bytes
    citations: bytes | None


_SUMMARY: Final = """
SELECT k.wrapped, s.sealed, c.sealed AS citations
FROM summary s JOIN job_key k USING (job_id) LEFT JOIN citation c USING (job_id)
WHERE s.job_id = :id
"""


async def find_summary(tx: Transaction, job_id: UUID) -> SealedSummary | None:
    """The sealed summary; the caller has checked whose job it is."""
    row = (await tx.execute(text(_SUMMARY), {"id": job_id})).first()
    if row is None:
        return None
    return SealedSummary(
        wrapped_key=row.wrapped, summary=row.sealed, citations=row.citations
    )


async def find_wrapped_key(tx: Transaction, job_id: UUID) -> bytes | None:
    """The job's wrapped data key; None: its contents are gone for good."""
    key: bytes | None = await tx.scalar(
        text("SELECT wrapped FROM job_key WHERE job_id = :id"), {"id": job_id}
    )
    return key
