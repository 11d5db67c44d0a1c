"""Jobs that wait: back to `queued` when their time has come, `expired` when it is over."""

from typing import Final
from uuid import UUID

from sqlalchemy import text

from jobs.lifecycle import sources, sql_list
from jobs.operations.ending import ENDING_EFFECTS
from jobs.store.pause_store import ASIDE, PAUSED_TENANTS
from plumbing.database import Transaction

MOST_WAITING: Final = 1000

WAKE_SQL: Final = f"""
WITH due AS MATERIALIZED (
    SELECT id FROM job
    WHERE state IN ({sql_list(sources("wake"))}) AND run_at <= statement_timestamp()
    ORDER BY run_at LIMIT {MOST_WAITING} FOR NO KEY UPDATE SKIP LOCKED
)
UPDATE job SET state = 'queued', version = version + 1,
    tag = greatest(tag, (SELECT last_value FROM fair_clock))
          + CASE WHEN tenant_id = ANY ({PAUSED_TENANTS}) THEN {ASIDE} ELSE 0 END
FROM due WHERE job.id = due.id
"""

EXPIRE_SQL: Final = f"""
WITH over AS MATERIALIZED (
    SELECT id FROM job
    WHERE state IN ({sql_list(sources("expire"))}) AND deadline <= statement_timestamp()
    ORDER BY deadline LIMIT {MOST_WAITING} FOR NO KEY UPDATE SKIP LOCKED
), changed AS (
    UPDATE job j SET fence = j.fence + 1, version = j.version + 1, state = 'expired',
        finished_at = statement_timestamp()
    FROM over WHERE j.id = over.id
    RETURNING j.id, j.tenant_id, j.state, j.version, j.delivery
), {ENDING_EFFECTS}
SELECT id FROM changed
"""


async def wake_due(tx: Transaction) -> int:
    """Queue up to 1,000 jobs whose pause is over; gives how many."""
    return (await tx.execute(text(WAKE_SQL))).rowcount


async def expire_overdue(tx: Transaction) -> list[UUID]:
    """End up to 1,000 waiting jobs whose deadline has passed."""
    return [row.id for row in await tx.execute(text(EXPIRE_SQL))]
