"""Jobs as they are read. Every query for a caller carries the tenant."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final
from uuid import UUID

from sqlalchemy import text

from jobs.errors import JobNotFound
from jobs.job import Job, Progress
from jobs.lifecycle import State
from plumbing.database import Transaction

_COLUMNS: Final = """
j.id, j.tenant_id, j.state, j.version, j.attempt, j.deadline, j.cancel_requested,
j.tier, j.routing_reason, j.tokens, j.threshold, j.characters, j.options,
coalesce((SELECT jsonb_object_agg(m.key, m.value) FROM job_metadata m
          WHERE m.job_id = j.id), '{}') AS metadata,
j.created_at, j.started_at, j.finished_at, j.prompt_tokens, j.completion_tokens,
j.provenance, j.coverage, j.warnings, j.error_code, j.erased_at,
p.chunks_done, p.chunks_total, p.merges_done, p.merges_total
"""
_PROGRESS: Final = """
CROSS JOIN LATERAL (
    SELECT count(*) FILTER (WHERE stage = 0 AND c.state = 'done') AS chunks_done,
           count(*) FILTER (WHERE stage = 0) AS chunks_total,
           count(*) FILTER (WHERE stage > 0 AND c.state = 'done') AS merges_done,
           count(*) FILTER (WHERE stage > 0) AS merges_total
    FROM chunk c WHERE c.job_id = j.id
) p
"""
_GET: Final = f"""
SELECT {_COLUMNS} FROM job j {_PROGRESS} WHERE j.id = :id AND j.tenant_id = :tenant
"""


async def get_job(tx: Transaction, job_id: UUID, *, tenant_id: UUID) -> Job:
    """The tenant's job; raises `JobNotFound` alike for unknown and foreign ids."""
    found = await tx.execute(text(_GET), {"id": job_id, "tenant": tenant_id})
    row = found.first()
    if row is None:
        raise JobNotFound(str(job_id))
    return _job(row)


@dataclass(frozen=True, slots=True, kw_only=True)
class JobFilter:
    """Which jobs a list shows; newest first, those before the cursor."""

    states: Sequence[State] = ()
    created_from: datetime | None = None
    created_before: datetime | None = None
    metadata: tuple[tuple[str, str], ...] = ()
    before_id: UUID | None = None


async def list_jobs(
    tx: Transaction, wanted: JobFilter, *, tenant_id: UUID, limit: int
) -> list[Job]:
    conditions = ["j.tenant_id = :tenant", "j.erased_at IS NULL"]
    values: dict[str, Any] = {"tenant": tenant_id, "limit": limit}
    if wanted.states:
        conditions.append("j.state = ANY(CAST(:states AS text[]))")
        values["states"] = [state.value for state in wanted.states]
    if wanted.created_from:
        conditions.append("j.created_at >= :created_from")
        values["created_from"] = wanted.created_from
    if wanted.created_before:
        conditions.append("j.created_at < :created_before")
        values["created_before"] = wanted.created_before
    if wanted.before_id:
        conditions.append("j.id < :before_id")
        values["before_id"] = wanted.before_id
    for number, (key, value) in enumerate(wanted.metadata):
        conditions.append(
            "EXISTS (SELECT 1 FROM job_metadata m WHERE m.tenant_id = j.tenant_id"
            f" AND m.job_id = j.id AND m.key = :key{number} AND m.value = :value{number})"
        )
        values |= {f"key{number}": key, f"value{number}": value}
    statement = (
        f"SELECT {_COLUMNS} FROM job j {_PROGRESS} WHERE {' AND '.join(conditions)}"
        " ORDER BY j.id DESC LIMIT :limit"
    )
    return [_job(row) for row in await tx.execute(text(statement), values)]


_STATES: Final = """
SELECT id, state FROM job WHERE id = ANY(CAST(:ids AS uuid[]))
"""


async def find_states(tx: Transaction, ids: Sequence[UUID]) -> dict[UUID, State]:
    """Where these jobs stand now; for the watcher, who has checked the owner."""
    rows = await tx.execute(text(_STATES), {"ids": list(ids)})
    return {row.id: State(row.state) for row in rows}


_FOR_EVENT: Final = f"""
SELECT {_COLUMNS} FROM job j {_PROGRESS} WHERE j.id = ANY(CAST(:ids AS uuid[]))
"""


async def find_jobs(tx: Transaction, ids: Sequence[UUID]) -> dict[UUID, Job]:
    """Jobs by id whoever owns them; for the notifier, never for a caller."""
    rows = await tx.execute(text(_FOR_EVENT), {"ids": list(ids)})
    return {row.id: _job(row) for row in rows}


def _job(row: Any) -> Job:
    return Job(
        id=row.id,
        tenant_id=row.tenant_id,
        state=State(row.state),
        version=row.version,
        attempt=row.attempt,
        deadline=row.deadline,
        cancel_requested=row.cancel_requested,
        tier=row.tier,
        routing_reason=row.routing_reason,
        tokens=row.tokens,
        threshold=row.threshold,
        characters=row.characters,
        options=row.options,
        metadata=row.metadata,
        created_at=row.created_at,
        started_at=row.started_at,
        finished_at=row.finished_at,
        prompt_tokens=row.prompt_tokens,
        completion_tokens=row.completion_tokens,
        provenance=row.provenance,
        coverage=row.coverage,
        warnings=tuple(row.warnings),
        error_code=row.error_code,
        erased_at=row.erased_at,
        progress=Progress(
            chunks_done=row.chunks_done,
            chunks_total=row.chunks_total,
            merges_done=row.merges_done,
            merges_total=row.merges_total,
        ),
    )
