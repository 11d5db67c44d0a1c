"""The batch workers that live, how much they can hold, and how much work is due."""

from typing import Final

from sqlalchemy import text

from jobs.batch_load import BatchLoad
from jobs.store.pause_store import ASIDE, BATCH_IS_PAUSED, PAUSED_TENANTS
from plumbing.database import Transaction

_REPORT: Final = """
INSERT INTO worker_process (id, slots, seen_at)
VALUES (:id, :slots, statement_timestamp())
ON CONFLICT (id) DO UPDATE SET slots = excluded.slots, seen_at = excluded.seen_at
"""


async def report_worker(tx: Transaction, worker_id: str, *, slots: int) -> None:
    """Say that the worker lives; 0 slots: it lives, but its engines do not."""
    await tx.execute(text(_REPORT), {"id": worker_id, "slots": slots})


async def remove_worker(tx: Transaction, worker_id: str) -> None:
    await tx.execute(
        text("DELETE FROM worker_process WHERE id = :id"), {"id": worker_id}
    )


async def forget_lost_workers(tx: Transaction) -> None:
    await tx.execute(
        text(
            "DELETE FROM worker_process"
            " WHERE seen_at < statement_timestamp() - interval '1 hour'"
        )
    )


_LOAD: Final = f"""
SELECT w.workers, CASE WHEN {BATCH_IS_PAUSED} THEN 0 ELSE w.slots END AS slots,
       (SELECT count(*) FROM job WHERE state = 'running') AS running,
       (SELECT count(*) FROM (
            SELECT 1 FROM job
            WHERE state = 'queued' AND tag < {ASIDE}
              AND tenant_id <> ALL ({PAUSED_TENANTS}) AND deadline > statement_timestamp()
              AND NOT cancel_requested
            LIMIT :enough) AS waiting) AS due
FROM (SELECT count(*) AS workers, coalesce(sum(slots), 0) AS slots
      FROM worker_process
      WHERE seen_at > statement_timestamp() - interval '10 seconds') AS w
"""


async def read_load(tx: Transaction, *, enough: int) -> BatchLoad:
    """How full the batch tier is; `due` is not counted beyond `enough`.

    A paused tier has no slots, so that the backlog waits in Kafka.
    """
    row = (await tx.execute(text(_LOAD), {"enough": enough})).one()
    return BatchLoad(
        workers=row.workers, slots=int(row.slots), running=row.running, due=row.due
    )
