"""How much waits, by tenant: counted as what came in less what has gone.

What came in stands in the lanes and is cheap to read. What has gone is the difference
to a count of all that waits, which is as dear as the backlog is long; since it only
grows, an old count errs to the safe side.
"""

from dataclasses import dataclass
from typing import Final
from uuid import UUID

from sqlalchemy import text

from plumbing.database import Transaction


@dataclass(frozen=True, slots=True)
class Load:
    """Jobs, and the bytes of their sealed texts."""

    jobs: int = 0
    bytes: int = 0

    def __add__(self, other: "Load") -> "Load":
        return Load(self.jobs + other.jobs, self.bytes + other.bytes)

    def __sub__(self, other: "Load") -> "Load":
        return Load(self.jobs - other.jobs, self.bytes - other.bytes)


_ADMITTED: Final = text("""
SELECT tenant_id, admitted_jobs AS jobs, admitted_bytes AS bytes FROM lane
""")

# One statement sees one snapshot: an admission is in both counts or in neither. The
# two states stand apart because each has an index of its own.
GONE_SQL: Final = """
SELECT tenant_id, l.admitted_jobs - coalesce(w.jobs, 0) AS jobs,
       l.admitted_bytes - coalesce(w.bytes, 0) AS bytes
FROM lane l LEFT JOIN (
    SELECT tenant_id, sum(jobs)::bigint AS jobs, sum(bytes)::bigint AS bytes
    FROM (SELECT tenant_id, count(*) AS jobs, sum(text_bytes) AS bytes
          FROM job WHERE state = 'queued' GROUP BY tenant_id
          UNION ALL
          SELECT tenant_id, count(*), sum(text_bytes)
          FROM job WHERE state = 'retry_wait' GROUP BY tenant_id) by_state
    GROUP BY tenant_id
) w USING (tenant_id)
"""


async def list_admitted(tx: Transaction) -> dict[UUID, Load]:
    """All that each tenant ever brought into the batch tier."""
    rows = await tx.execute(_ADMITTED)
    return {row.tenant_id: Load(row.jobs, row.bytes) for row in rows}


async def list_gone(tx: Transaction) -> dict[UUID, Load]:
    """How much of that does not wait any more."""
    rows = await tx.execute(text(GONE_SQL))
    return {row.tenant_id: Load(row.jobs, row.bytes) for row in rows}
