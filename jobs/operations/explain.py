"""What is known of one job and why it stands where it stands, for an operator's eyes.

Only read, never changed. No text, summary, metadata or address is touched: receivers
are told by the ids of their deliveries. What the facts mean is left to who asks.
"""

from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final
from uuid import UUID

from sqlalchemy import text

from jobs.batch_load import BatchLoad
from jobs.lifecycle import State
from jobs.store.line_store import Place, find_place
from jobs.store.pause_store import ASIDE, Pause, Scope, list_pauses
from jobs.store.worker_store import read_load
from plumbing.database import Transaction

COUNTED_UP_TO: Final = 10_000
"""Jobs before one in the line are not counted beyond this."""

_STANDING: Final = f"""
SELECT j.id, j.tenant_id, t.name AS tenant, t.weight, j.state, j.tier, j.routing_reason,
       j.tokens, j.attempt, j.fence, j.version, j.suspect, j.cancel_requested,
       j.created_at, j.run_at, j.deadline, j.started_at, j.finished_at, j.erased_at,
       j.lease_until, j.worker_id, j.last_error, j.error_code,
       j.tag % {ASIDE} AS tag, j.tag >= {ASIDE} AS is_aside,
       l.tail AS lane_tail, (SELECT last_value FROM fair_clock) AS clock,
       statement_timestamp() AS now
FROM job j JOIN tenant t ON t.id = j.tenant_id LEFT JOIN lane l ON l.tenant_id = t.id
WHERE j.id = :id
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Standing:
    """A job as its row tells it, at one moment of the database's clock."""

    id: UUID
    tenant_id: UUID
    tenant: str
    weight: float
    state: State
    tier: str
    routing_reason: str
    tokens: int
    attempt: int
    fence: int
    version: int
    suspect: bool
    cancel_requested: bool
    created_at: datetime
    run_at: datetime
    deadline: datetime
    started_at: datetime | None
    finished_at: datetime | None
    erased_at: datetime | None
    lease_until: datetime | None
    worker_id: str | None
    last_error: str | None
    error_code: str | None
    tag: int
    is_aside: bool
    """Out of the line, because its tenant is or was paused."""
    lane_tail: int | None
    clock: int
    now: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Happening:
    """One thing that happened to the job; `what` is a stable word."""

    at: datetime
    what: str
    details: dict[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class Explanation:
    standing: Standing
    place: Place | None
    """None: it does not stand in the line of those that may be claimed."""
    pauses: tuple[Pause, ...]
    """Those that hold back this job."""
    load: BatchLoad
    history: tuple[Happening, ...]


async def explain(tx: Transaction, job_id: UUID) -> Explanation | None:
    """All of it, or None when there is no such job."""
    row = (await tx.execute(text(_STANDING), {"id": job_id})).mappings().first()
    if row is None:
        return None
    standing = Standing(**{**row, "state": State(row["state"])})
    return Explanation(
        standing=standing,
        place=await find_place(tx, job_id, enough=COUNTED_UP_TO),
        pauses=tuple(p for p in await list_pauses(tx) if _holds_back(p, standing)),
        load=await read_load(tx, enough=1),
        history=await _read_history(tx, standing),
    )


def _holds_back(pause: Pause, standing: Standing) -> bool:
    if pause.scope is Scope.TENANT:
        return pause.tenant_id == standing.tenant_id
    return pause.name == "batch"


# Attempts leave no rows of their own; what each stored tells of them by its fence.
_HISTORY: Final = """
SELECT at, what, details FROM (
    SELECT 1 AS place, created_at AS at, 'accepted' AS what, jsonb_build_object(
               'tier', tier, 'reason', routing_reason, 'tokens', tokens) AS details
    FROM job WHERE id = :id
    UNION ALL
    SELECT 2, at, action, jsonb_build_object('actor', actor, 'subject', subject)
    FROM audit
    WHERE at >= :created_at AND (subject = ANY(CAST(:subjects AS text[]))
          OR details @> jsonb_build_object('jobs', jsonb_build_array(CAST(:hex AS text))))
    UNION ALL
    SELECT 3, started_at, 'first_claimed', '{}' FROM job
    WHERE id = :id AND started_at IS NOT NULL
    UNION ALL
    SELECT 4, max(done_at), 'chunks_stored',
           jsonb_build_object('fence', fence, 'stage', stage, 'count', count(*))
    FROM chunk WHERE job_id = :id AND state = 'done' GROUP BY fence, stage
    UNION ALL
    SELECT 5, created_at, 'summary_stored', jsonb_build_object('fence', fence)
    FROM summary WHERE job_id = :id
    UNION ALL
    SELECT 6, finished_at, 'ended', jsonb_build_object('state', state, 'error', error_code)
    FROM job WHERE id = :id AND finished_at IS NOT NULL
    UNION ALL
    SELECT 7, created_at, 'event_written', jsonb_build_object('event', id)
    FROM event WHERE job_id = :id
    UNION ALL
    SELECT 8, created_at, 'delivery_written', jsonb_build_object('delivery',
           'del_' || replace(id::text, '-', ''), 'kind', kind, 'replay', replay_of IS NOT NULL)
    FROM delivery WHERE job_id = :id
    UNION ALL
    SELECT 9, a.finished_at, 'delivery_attempted', jsonb_build_object('delivery',
           'del_' || replace(d.id::text, '-', ''), 'number', a.number, 'code', a.code,
           'error', a.error)
    FROM delivery d JOIN delivery_attempt a ON a.delivery_id = d.id WHERE d.job_id = :id
    UNION ALL
    SELECT 10, finished_at, 'delivery_ended', jsonb_build_object('delivery',
           'del_' || replace(id::text, '-', ''), 'state', state)
    FROM delivery WHERE job_id = :id AND finished_at IS NOT NULL
    UNION ALL
    SELECT 11, requested_at, 'erasure_requested', '{}' FROM erasure WHERE job_id = :id
    UNION ALL
    SELECT 12, erased_at, 'erased', '{}' FROM job WHERE id = :id AND erased_at IS NOT NULL
) AS happened ORDER BY at, place
"""


async def _read_history(tx: Transaction, standing: Standing) -> tuple[Happening, ...]:
    values = {
        "id": standing.id,
        "hex": standing.id.hex,
        "created_at": standing.created_at,
        # Pauses and their ends while it waited: whose hand held it back.
        "subjects": [f"tenant {standing.tenant}", "tier batch", "pool batch"],
    }
    rows = await tx.execute(text(_HISTORY), values)
    return tuple(
        Happening(at=row.at, what=row.what, details=row.details) for row in rows
    )
