"""Set a paused tenant's jobs aside, and put them back in line when it is resumed.

A job that is set aside stays `queued` at the far end of the line, behind `ASIDE`, where
no claim looks: however many wait there, claims are as quick as without them, and
cancels and deadlines work as ever. Back in line each gets a new tag, as if its text
were admitted now, so that a long pause does not let its jobs overtake all others.
"""

from dataclasses import dataclass
from typing import Final
from uuid import UUID

from sqlalchemy import text

from jobs.store.pause_store import ASIDE
from plumbing.database import Transaction

_MOST_MOVED: Final = 2000

SET_ASIDE_SQL: Final = f"""
WITH waiting AS MATERIALIZED (
    SELECT id, tag FROM job
    WHERE state = 'queued' AND tag < {ASIDE} AND tenant_id = :tenant
      AND (tag, id) > (:after_tag, CAST(:after_id AS uuid))
    ORDER BY tag, id LIMIT {_MOST_MOVED} FOR NO KEY UPDATE SKIP LOCKED
), moved AS (
    UPDATE job j SET tag = waiting.tag + {ASIDE} FROM waiting WHERE j.id = waiting.id
)
SELECT id, tag, count(*) OVER () AS moved FROM waiting ORDER BY tag DESC, id DESC LIMIT 1
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Reached:
    """How far along the line a walk has come."""

    tag: int
    id: UUID
    moved: int = 0


BEGINNING: Final = Reached(tag=-1, id=UUID(int=0))


async def set_aside(
    tx: Transaction, tenant_id: UUID, *, after: Reached
) -> Reached | None:
    """Set the tenant's next 2,000 waiting jobs aside; None: there was none."""
    values = {"tenant": tenant_id, "after_tag": after.tag, "after_id": after.id}
    row = (await tx.execute(text(SET_ASIDE_SQL), values)).first()
    return Reached(tag=row.tag, id=row.id, moved=row.moved) if row else None


# Hints are sent anew: the first ones came while the jobs were not to be had.
PUT_BACK_SQL: Final = f"""
WITH aside AS MATERIALIZED (
    SELECT id, tag, tokens FROM job
    WHERE state = 'queued' AND tag >= {ASIDE} AND tenant_id = :tenant
    ORDER BY tag, id LIMIT {_MOST_MOVED} FOR NO KEY UPDATE
), start AS MATERIALIZED (
    SELECT greatest(CAST(:after AS bigint), (SELECT last_value FROM fair_clock)) AS tag
), placed AS (
    SELECT a.id, start.tag + (sum(c.cost) OVER (ORDER BY a.tag, a.id) - c.cost)::bigint
                 AS tag, c.cost
    FROM aside a CROSS JOIN start
    CROSS JOIN LATERAL (SELECT ceil(greatest(a.tokens, 1) / t.weight)::bigint AS cost
                        FROM tenant t WHERE t.id = :tenant) c
), moved AS (
    UPDATE job j SET tag = placed.tag FROM placed WHERE j.id = placed.id
), hints AS (
    INSERT INTO outbox (job_id) SELECT id FROM aside
), lane_moved AS (
    UPDATE lane SET tail = greatest(tail, (SELECT max(tag + cost) FROM placed))
    WHERE tenant_id = :tenant AND EXISTS (SELECT FROM placed)
)
SELECT max(tag + cost) AS tail, count(*) AS moved FROM placed
"""


async def put_back(
    tx: Transaction, tenant_id: UUID, *, after: Reached
) -> Reached | None:
    """Put 2,000 of the tenant's jobs back in line, behind `after`; None: there was none."""
    values = {"tenant": tenant_id, "after": after.tag}
    row = (await tx.execute(text(PUT_BACK_SQL), values)).one()
    return Reached(tag=row.tail, id=after.id, moved=row.moved) if row.moved else None


_COUNT_ASIDE: Final = f"""
SELECT count(*) FROM (
    SELECT FROM job WHERE state = 'queued' AND tag >= {ASIDE} AND tenant_id = :tenant
    LIMIT :enough) AS aside
"""


async def count_aside(tx: Transaction, tenant_id: UUID, *, enough: int) -> int:
    """How many jobs of the tenant were set aside, counted up to `enough`."""
    values = {"tenant": tenant_id, "enough": enough}
    return int(await tx.scalar(text(_COUNT_ASIDE), values) or 0)
