"""The line of jobs that a claim would take from, looked at from beside.

Nothing is locked and nothing is counted to its end: a look costs a bounded number of
rows however many jobs wait. Claiming itself is `operations.claim`'s.
"""

from dataclasses import dataclass
from typing import Final
from uuid import UUID

from sqlalchemy import text

from jobs.store.pause_store import ASIDE, BATCH_IS_PAUSED, PAUSED_TENANTS
from plumbing.database import Transaction

_IN_LINE: Final = f"q.state = 'queued' AND q.tag < {ASIDE}"
_MAY_BE_CLAIMED: Final = f"""
    q.tenant_id <> ALL ({PAUSED_TENANTS})
    AND q.deadline > statement_timestamp() AND NOT q.cancel_requested
"""

FIND_PLACE_SQL: Final = f"""
SELECT count(w.tenant_id) AS ahead,
       count(*) FILTER (WHERE w.tenant_id = j.tenant_id) AS of_tenant,
       count(DISTINCT w.tenant_id) FILTER (WHERE w.tenant_id <> j.tenant_id) AS others
FROM job j LEFT JOIN LATERAL (
    SELECT q.tenant_id FROM job q
    WHERE {_IN_LINE} AND {_MAY_BE_CLAIMED} AND (q.tag, q.id) < (j.tag, j.id)
    ORDER BY q.tag, q.id LIMIT :enough
) w ON true
WHERE j.id = :id AND j.state = 'queued' AND j.tag < {ASIDE}
GROUP BY j.id
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """How many jobs a claim takes before this one."""

    ahead: int
    of_tenant: int
    """How many of them are the same tenant's."""
    other_tenants: int
    """To how many other tenants the rest belongs."""


async def find_place(tx: Transaction, job_id: UUID, *, enough: int) -> Place | None:
    """The job's place, counted up to `enough`; None: it does not stand in the line."""
    values = {"id": job_id, "enough": enough}
    row = (await tx.execute(text(FIND_PLACE_SQL), values)).first()
    if row is None:
        return None
    return Place(ahead=row.ahead, of_tenant=row.of_tenant, other_tenants=row.others)


_LOOKED_AT: Final = 1000

# Judged after the look: with all conditions inside, the planner expects few rows, takes
# another index and sorts all that wait.
OLDEST_DUE_SQL: Final = f"""
SELECT extract(epoch FROM statement_timestamp() - min(q.run_at))::float8
FROM (SELECT q.run_at, q.tenant_id, q.deadline, q.cancel_requested FROM job q
      WHERE {_IN_LINE} ORDER BY q.tag, q.id LIMIT {_LOOKED_AT}) q
WHERE {_MAY_BE_CLAIMED} AND NOT {BATCH_IS_PAUSED}
"""


async def oldest_due_age_seconds(tx: Transaction) -> float:
    """How long the oldest of the next 1,000 in line has been due; 0 when none is.

    What an operator paused does not count: it waits on purpose.
    """
    return float(await tx.scalar(text(OLDEST_DUE_SQL)) or 0)
