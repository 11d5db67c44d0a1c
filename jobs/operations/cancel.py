"""Cancel: a waiting job ends at once, a running one is asked to stop.

The owner is in the WHERE clause: a foreign id changes nothing.
"""

from typing import Final
from uuid import UUID

from sqlalchemy import text

from jobs.lifecycle import FINAL, State, sql_list
from jobs.operations.ending import ENDING_EFFECTS
from plumbing.database import Transaction

_CANCEL: Final = f"""
WITH asked AS MATERIALIZED (
    SELECT id, state, cancel_requested FROM job
    WHERE id = :id AND tenant_id = :tenant AND state NOT IN ({sql_list(FINAL)})
    FOR NO KEY UPDATE
), changed AS (
    UPDATE job j
    SET cancel_requested = true,
        version = j.version + (NOT j.cancel_requested)::int,
        fence = j.fence + (j.state <> 'running')::int,
        state = CASE WHEN j.state = 'running' THEN j.state ELSE 'cancelled' END,
        finished_at = CASE WHEN j.state = 'running' THEN NULL
                           ELSE statement_timestamp() END
    FROM asked WHERE j.id = asked.id AND j.state NOT IN ({sql_list(FINAL)})
    RETURNING j.id, j.tenant_id, j.state, j.version, j.delivery
), {ENDING_EFFECTS}
SELECT state FROM changed
"""


async def cancel(tx: Transaction, job_id: UUID, *, tenant_id: UUID) -> State | None:
    """Ask for the end of a job; None: it has ended already, or is not this tenant's."""
    found = await tx.execute(text(_CANCEL), {"id": job_id, "tenant": tenant_id})
    row = found.first()
    return State(row.state) if row else None
