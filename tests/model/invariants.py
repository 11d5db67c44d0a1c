"""I1 to I7 as one query: what may stand in the database at no moment whatever.

Every transaction keeps them, so they hold in each snapshot, also while others act.
What only the order of events can show (I1, I3) is the audit's part (`books`).
"""

from datetime import timedelta
from typing import Any, Final

from sqlalchemy import text

from jobs.operations.retain import EVENTS_KEPT
from plumbing.database import Transaction
from tests.model.books import Broken
from tests.model.world import KEPT

_FINAL: Final = "('succeeded', 'failed', 'cancelled', 'expired')"
_CONTENTS: Final = (
    "job_key",
    "job_input",
    "chunk",
    "summary",
    "citation",
    "job_metadata",
)
_NAMED: Final = """
    (j.delivery ->> 'webhook_url' IS NOT NULL)::int
    + jsonb_array_length(coalesce(j.delivery -> 'email', '[]'))
"""
_HELD: Final = " UNION ALL ".join(f"SELECT job_id FROM {table}" for table in _CONTENTS)

INVARIANTS: Final = {
    "I2 a summary without a success": """
        SELECT j.id FROM summary s JOIN job j ON j.id = s.job_id
        WHERE j.state <> 'succeeded'""",
    "I2 a success without its summary": """
        SELECT j.id FROM job j LEFT JOIN summary s ON s.job_id = j.id
        WHERE j.state = 'succeeded' AND j.erased_at IS NULL AND s.job_id IS NULL""",
    "I4 an ended job without its event": f"""
        SELECT j.id FROM job j LEFT JOIN event e ON e.job_id = j.id
            AND e.type = 'summary.' || j.state AND e.job_version = j.version
            AND e.id = 'evt_' || replace(j.id::text, '-', '')
        WHERE j.state IN {_FINAL} AND e.id IS NULL
          AND NOT (j.erased_at IS NOT NULL AND j.finished_at
                   <= statement_timestamp() - CAST(:events_kept AS interval))""",
    "I4 an event of a job that has not ended": f"""
        SELECT j.id FROM event e JOIN job j ON j.id = e.job_id
        WHERE j.state NOT IN {_FINAL}""",
    "I4 an ending that not all receivers are told": f"""
        SELECT j.id FROM event e JOIN job j ON j.id = e.job_id
        WHERE j.delivery IS NOT NULL AND {_NAMED}
          <> (SELECT count(*) FROM delivery d
              WHERE d.event_id = e.id AND d.replay_of IS NULL)""",
    "I5 a delivery without its event": """
        SELECT d.job_id FROM delivery d
        LEFT JOIN event e ON e.id = d.event_id AND e.job_id = d.job_id
        WHERE e.id IS NULL""",
    "I5 attempts that were not noted": """
        SELECT d.job_id FROM delivery d
        WHERE d.attempt <> (SELECT count(*) FROM delivery_attempt a
                            WHERE a.delivery_id = d.id)
           OR d.attempt > 10""",
    "I6 more than five attempts": """
        SELECT id FROM job WHERE attempt > 5""",
    "I7 an erased job that holds something": f"""
        SELECT j.id FROM job j JOIN ({_HELD}) h ON h.job_id = j.id
        WHERE j.erased_at IS NOT NULL""",
    "I7 a text that the event says is gone": """
        SELECT i.job_id FROM job_input i JOIN event e USING (job_id)
        WHERE e.holds <> 'text'""",
    "I7 a text that went too early": """
        SELECT j.id FROM job j LEFT JOIN event e ON e.job_id = j.id
        LEFT JOIN job_input i ON i.job_id = j.id
        WHERE i.job_id IS NULL AND j.erased_at IS NULL AND j.fence > 0
          AND (e.id IS NULL OR e.created_at
               > statement_timestamp() - CAST(:text_kept AS interval))""",
    "I7 a job that was emptied too early": """
        SELECT j.id FROM job j
        WHERE j.erased_at IS NOT NULL
          AND j.finished_at > statement_timestamp() - CAST(:summary_kept AS interval)
          AND NOT EXISTS (SELECT FROM erasure x WHERE x.job_id = j.id)""",
    "I1 a key without its job": """
        SELECT k.job_id FROM idempotency_key k LEFT JOIN job j ON j.id = k.job_id
        WHERE k.lease_until IS NULL AND j.id IS NULL""",
    "I1 a lane that counts other jobs than it has": """
        SELECT l.tenant_id FROM lane l
        WHERE l.admitted_jobs <> (
            SELECT count(*) FROM job j WHERE j.tenant_id = l.tenant_id
            AND NOT (j.state = 'succeeded' AND j.fence = 0))""",
}
_ALL: Final = " UNION ALL ".join(
    f"SELECT '{name}' AS what, v.* FROM ({query}) v (id)"
    for name, query in INVARIANTS.items()
)
_VALUES: Final[dict[str, timedelta]] = {
    "events_kept": EVENTS_KEPT,
    "text_kept": KEPT.text,
    "summary_kept": KEPT.summary,
}

OVERDUE: Final = f"""
SELECT 'I7 a text that outlived its time' AS what, e.job_id AS id
FROM event e JOIN job_input i USING (job_id)
WHERE e.created_at <= statement_timestamp() - CAST(:text_kept AS interval)
UNION ALL
SELECT 'I7 contents that outlived their time', e.job_id
FROM event e JOIN ({_HELD}) h USING (job_id)
WHERE e.created_at <= statement_timestamp() - CAST(:summary_kept AS interval)
"""


async def check(tx: Transaction) -> None:
    await _demand_none(tx, _ALL)


async def check_nothing_overdue(tx: Transaction) -> None:
    """What holds once retention has had its turn."""
    await _demand_none(tx, OVERDUE)


async def _demand_none(tx: Transaction, query: str) -> None:
    bound: dict[str, Any] = {k: v for k, v in _VALUES.items() if f":{k}" in query}
    for row in await tx.execute(text(query), bound):
        raise Broken(f"{row.what}: {row.id}")
