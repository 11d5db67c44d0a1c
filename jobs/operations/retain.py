"""Retention: texts, then summaries, then events go when their time after the ending is over.

The time of the ending is the event's, told by the database's clock; nothing goes before
it has passed by that clock. `event.holds` says what a job still has, and one index on
it finds what is overdue, however much waits beside it. Each step takes a small batch
and skips what others hold, so two at once do no harm and none waits.
"""

from dataclasses import dataclass
from datetime import timedelta
from typing import Final

from sqlalchemy import text

from jobs.operations.wipe import wipe
from jobs.store.delivery_store import REPLAYABLE_FOR
from plumbing.database import Transaction

MOST_DROPPED: Final = 200
EVENTS_KEPT: Final = REPLAYABLE_FOR + timedelta(days=4)
"""The last of ten tries may come on the fourth day; its replay is offered from there."""

# FOR NO KEY UPDATE OF j: whoever erases the job holds its row as well, so that neither
# waits for the other's event.
_OVERDUE: Final = f"""
SELECT e.job_id FROM event e JOIN job j ON j.id = e.job_id
WHERE e.holds = :holds AND e.created_at <= statement_timestamp() - CAST(:kept AS interval)
ORDER BY e.created_at LIMIT {MOST_DROPPED} FOR NO KEY UPDATE OF j SKIP LOCKED
"""

DROP_TEXTS_SQL: Final = f"""
WITH overdue AS MATERIALIZED ({_OVERDUE}), texts AS (
    DELETE FROM job_input USING overdue WHERE job_input.job_id = overdue.job_id
)
UPDATE event SET holds = 'summary' FROM overdue
WHERE event.job_id = overdue.job_id AND event.holds = 'text'
"""

OVERDUE_SUMMARIES_SQL: Final = _OVERDUE

DROP_EVENTS_SQL: Final = f"""
WITH old AS MATERIALIZED (
    SELECT e.id, e.job_id FROM event e
    WHERE e.holds = 'nothing'
      AND e.created_at <= statement_timestamp() - CAST(:kept AS interval)
      AND NOT EXISTS (
          SELECT 1 FROM delivery d WHERE d.job_id = e.job_id
          AND (d.finished_at IS NULL
               OR d.finished_at > statement_timestamp() - CAST(:replayable AS interval)))
    ORDER BY e.created_at LIMIT {MOST_DROPPED} FOR UPDATE OF e SKIP LOCKED
), attempts AS (
    DELETE FROM delivery_attempt USING delivery d JOIN old USING (job_id)
    WHERE delivery_attempt.delivery_id = d.id
), deliveries AS (
    DELETE FROM delivery USING old WHERE delivery.job_id = old.job_id
)
DELETE FROM event USING old WHERE event.id = old.id
"""

OVERDUE_AGES_SQL: Final = """
SELECT extract(epoch FROM statement_timestamp() - CAST(:text AS interval)
           - (SELECT created_at FROM event WHERE holds = 'text'
              ORDER BY created_at LIMIT 1))::float8 AS text,
       extract(epoch FROM statement_timestamp() - CAST(:summary AS interval)
           - (SELECT created_at FROM event WHERE holds = 'summary'
              ORDER BY created_at LIMIT 1))::float8 AS summary
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Kept:
    """How long after the ending texts and summaries are kept."""

    text: timedelta
    summary: timedelta


async def drop_texts(tx: Transaction, kept: Kept) -> int:
    """Delete up to 200 texts whose time is over; gives how many jobs were seen to."""
    # A text never outlives its summary, whatever the settings say.
    values = {"holds": "text", "kept": min(kept.text, kept.summary)}
    return (await tx.execute(text(DROP_TEXTS_SQL), values)).rowcount


async def drop_summaries(tx: Transaction, kept: Kept) -> int:
    """Erase up to 200 jobs whose summary's time is over. Needs a `transaction()`."""
    values = {"holds": "summary", "kept": kept.summary}
    overdue = await tx.execute(text(OVERDUE_SUMMARIES_SQL), values)
    job_ids = [row.job_id for row in overdue]
    if job_ids:
        await wipe(tx, job_ids)
    return len(job_ids)


async def drop_events(tx: Transaction) -> int:
    """Delete up to 200 events that nobody may replay any more, with their deliveries."""
    values = {"kept": EVENTS_KEPT, "replayable": REPLAYABLE_FOR}
    return (await tx.execute(text(DROP_EVENTS_SQL), values)).rowcount


@dataclass(frozen=True, slots=True, kw_only=True)
class OverdueAges:
    """How late retention is, in seconds: the longest that anything is overdue."""

    text: float
    summary: float


async def read_overdue_ages(tx: Transaction, kept: Kept) -> OverdueAges:
    values = {"text": min(kept.text, kept.summary), "summary": kept.summary}
    row = (await tx.execute(text(OVERDUE_AGES_SQL), values)).one()
    return OverdueAges(text=max(row.text or 0, 0), summary=max(row.summary or 0, 0))
