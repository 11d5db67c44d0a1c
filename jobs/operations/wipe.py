"""Take away all that an ended job holds: what erasing and retention have in common.

The caller holds the jobs' rows locked, by an earlier statement of the same transaction:
only then does this one see every chunk that was written before the lock, and who comes
later finds a fence or a state that refuses him. Only `erased_at` changes on the job.

A webhook's bytes are frozen with the event and carry the caller's metadata: such an
event gets the same body without them, so that what is still to be sent can be sent.
"""

from collections.abc import Sequence
from dataclasses import replace
from typing import Final
from uuid import UUID

from sqlalchemy import text

from jobs.messages.webhook_event import webhook_body
from jobs.store.job_store import find_jobs
from plumbing.database import Transaction

_LABELLED: Final = """
SELECT e.job_id, e.type, e.created_at FROM event e
WHERE e.job_id = ANY(CAST(:ids AS uuid[])) AND e.holds <> 'nothing'
  AND EXISTS (SELECT 1 FROM job_metadata m WHERE m.job_id = e.job_id)
"""

WIPE_SQL: Final = """
WITH doomed AS (
    SELECT * FROM unnest(CAST(:ids AS uuid[]), CAST(:bodies AS bytea[])) AS d (id, body)
), keys AS (
    DELETE FROM job_key USING doomed WHERE job_id = doomed.id
), inputs AS (
    DELETE FROM job_input USING doomed WHERE job_id = doomed.id
), chunks AS (
    DELETE FROM chunk USING doomed WHERE job_id = doomed.id
), summaries AS (
    DELETE FROM summary USING doomed WHERE job_id = doomed.id
), citations AS (
    DELETE FROM citation USING doomed WHERE job_id = doomed.id
), labels AS (
    DELETE FROM job_metadata USING doomed WHERE job_id = doomed.id
), told AS (
    UPDATE event SET holds = 'nothing', body = coalesce(doomed.body, event.body)
    FROM doomed WHERE event.job_id = doomed.id AND event.holds <> 'nothing'
)
UPDATE job SET erased_at = statement_timestamp()
FROM doomed WHERE job.id = doomed.id AND job.erased_at IS NULL
"""


async def wipe(tx: Transaction, job_ids: Sequence[UUID]) -> None:
    """Delete the contents of ended jobs whose rows this transaction has locked."""
    bodies = await _bodies_without_metadata(tx, job_ids)
    await tx.execute(
        text(WIPE_SQL),
        {"ids": list(job_ids), "bodies": [bodies.get(each) for each in job_ids]},
    )


async def _bodies_without_metadata(
    tx: Transaction, job_ids: Sequence[UUID]
) -> dict[UUID, bytes]:
    events = (await tx.execute(text(_LABELLED), {"ids": list(job_ids)})).all()
    if not events:
        return {}
    jobs = await find_jobs(tx, [event.job_id for event in events])
    return {
        event.job_id: webhook_body(
            event.type,
            happened_at=event.created_at,
            job=replace(jobs[event.job_id], metadata={}),
        )
        for event in events
    }
