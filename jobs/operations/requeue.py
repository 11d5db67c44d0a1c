"""By an operator's hand, many at once: end a job's wait now, or end the job.

Each call is one guarded statement over the next jobs that fit; what has ended is never
touched. Callers repeat it until none is left.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final
from uuid import UUID

from sqlalchemy import text

from jobs.lifecycle import FINAL, State, sources, sql_list
from jobs.operations.ending import ENDING_EFFECTS
from jobs.store.pause_store import ASIDE, PAUSED_TENANTS
from plumbing.database import Transaction

MOST_AT_ONCE: Final = 500


@dataclass(frozen=True, slots=True, kw_only=True)
class Selection:
    """Which jobs; what is None does not matter."""

    last_error: str | None = None
    """Why the last attempt failed, of a job that another one is to follow."""
    tenant_id: UUID | None = None
    since: datetime | None = None
    """Created then or later."""
    ids: Sequence[UUID] | None = None


def _fits(state: State) -> str:
    # A state each, so that each finds the small index of its state.
    return f"""(state = '{state.value}'
      AND (CAST(:last_error AS text) IS NULL OR last_error = :last_error)
      AND (CAST(:tenant AS uuid) IS NULL OR tenant_id = :tenant)
      AND (CAST(:since AS timestamptz) IS NULL OR created_at >= :since)
      AND (CAST(:ids AS uuid[]) IS NULL OR id = ANY (CAST(:ids AS uuid[]))))"""


_WAITS: Final = _fits(State.RETRY_WAIT)
_LIVES: Final = " OR ".join(_fits(state) for state in sorted(sources("fail")))

_REQUEUE: Final = f"""
WITH chosen AS MATERIALIZED (
    SELECT id FROM job WHERE {_WAITS} ORDER BY id LIMIT {MOST_AT_ONCE} FOR NO KEY UPDATE
), moved AS (
    UPDATE job j SET state = 'queued', version = j.version + 1,
        tag = greatest(j.tag, (SELECT last_value FROM fair_clock))
              + CASE WHEN j.tenant_id = ANY ({PAUSED_TENANTS}) THEN {ASIDE} ELSE 0 END
    FROM chosen WHERE j.id = chosen.id
    RETURNING j.id
), hints AS (
    INSERT INTO outbox (job_id) SELECT id FROM moved
)
SELECT id FROM moved
"""

_FAIL: Final = f"""
WITH ending AS MATERIALIZED (
    -- Said of the rows as they are locked: a cancel may have been first meanwhile.
    SELECT id, CASE WHEN cancel_requested THEN 'cancelled'
                    WHEN deadline <= statement_timestamp() THEN 'expired'
                    ELSE 'failed' END AS state
    FROM job WHERE {_LIVES} ORDER BY id LIMIT {MOST_AT_ONCE} FOR NO KEY UPDATE
), changed AS (
    UPDATE job j SET state = ending.state, fence = j.fence + 1, version = j.version + 1,
        lease_until = NULL, worker_id = NULL, finished_at = statement_timestamp(),
        error_code = CASE WHEN ending.state = 'failed' THEN CAST(:code AS text) END
    FROM ending WHERE j.id = ending.id AND j.state NOT IN ({sql_list(FINAL)})
    RETURNING j.id, j.tenant_id, j.state, j.version, j.delivery
), {ENDING_EFFECTS}
SELECT id FROM changed
"""


async def requeue_waiting(tx: Transaction, selection: Selection) -> list[UUID]:
    """Let up to 500 jobs that wait for their next attempt have it now."""
    return await _change(tx, _REQUEUE, selection)


async def fail_living(
    tx: Transaction, selection: Selection, *, code: str
) -> list[UUID]:
    """End up to 500 jobs that wait or run; cancels and deadlines win over `code`."""
    return await _change(tx, _FAIL, selection, code=code)


_COUNT: Final = """
SELECT state, count(*) AS jobs FROM job WHERE {fits} GROUP BY state ORDER BY state
"""


async def count_waiting(tx: Transaction, selection: Selection) -> dict[str, int]:
    """What `requeue_waiting` would find now."""
    return await _count(tx, _WAITS, selection)


async def count_living(tx: Transaction, selection: Selection) -> dict[str, int]:
    """What `fail_living` would find now, by state."""
    return await _count(tx, _LIVES, selection)


async def _change(
    tx: Transaction, statement: str, selection: Selection, **values: Any
) -> list[UUID]:
    rows = await tx.execute(text(statement), _values(selection) | values)
    return [row.id for row in rows]


async def _count(tx: Transaction, fits: str, selection: Selection) -> dict[str, int]:
    rows = await tx.execute(text(_COUNT.format(fits=fits)), _values(selection))
    return {row.state: row.jobs for row in rows}


def _values(selection: Selection) -> dict[str, Any]:
    return {
        "last_error": selection.last_error,
        "tenant": selection.tenant_id,
        "since": selection.since,
        "ids": None if selection.ids is None else list(selection.ids),
    }
