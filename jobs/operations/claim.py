"""Take the best due jobs, by Postgres's order, and keep them by heartbeats.

The attempt is counted before the work, the fence rises with each claim, and
only the database's clock decides leases. A hint never chooses the job. What an operator
has paused is left alone from the next claim on.
"""

from bisect import bisect_right
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final
from uuid import UUID

from sqlalchemy import text

from jobs.lifecycle import State, sources, sql_list
from jobs.store.pause_store import ASIDE, BATCH_IS_PAUSED, PAUSED_TENANTS
from plumbing.database import Transaction


@dataclass(frozen=True, slots=True, kw_only=True)
class Claim:
    """A job in this process's hands until the lease ends."""

    id: UUID
    tenant_id: UUID
    fence: int
    attempt: int
    suspect: bool
    characters: int
    options: dict[str, Any]
    deadline: datetime
    wrapped_key: bytes
    sealed_text: bytes | None
    """None: the text is long and read later, when there is room for it."""


SHORT_TEXT_BYTES: Final = 65_536

# Tags behind the clock are mostly dead rows of earlier claims, which a long open
# snapshot would keep; the floor skips them, and a claim without floor (asked for
# once a second) finds what came in behind it.
CLAIM_SQL: Final = f"""
WITH due AS MATERIALIZED (
    SELECT id, tag FROM job
    WHERE state = 'queued'
      AND tag >= (CASE WHEN CAST(:whole AS boolean) THEN 0
                       ELSE (SELECT last_value FROM fair_clock) - :slack END)
      AND tag < {ASIDE} AND tenant_id <> ALL ({PAUSED_TENANTS}) AND NOT {BATCH_IS_PAUSED}
      AND deadline > statement_timestamp() AND NOT cancel_requested
    ORDER BY tag, id LIMIT {{count}} FOR UPDATE SKIP LOCKED
), claimed AS (
    UPDATE job j
    SET state = 'running', fence = j.fence + 1, attempt = j.attempt + 1,
        version = j.version + 1, worker_id = :worker,
        started_at = coalesce(j.started_at, statement_timestamp()),
        lease_until = statement_timestamp() + CAST(:lease AS interval)
    FROM due WHERE j.id = due.id
    RETURNING j.id, j.tenant_id, j.fence, j.attempt, j.suspect, j.characters,
              j.options, j.deadline
), clock AS MATERIALIZED (
    SELECT setval('fair_clock', greatest((SELECT max(tag) FROM due), last_value))
    FROM fair_clock
)
SELECT c.*, k.wrapped,
       CASE WHEN octet_length(i.sealed) <= {SHORT_TEXT_BYTES} THEN i.sealed END AS sealed
FROM claimed c JOIN job_key k ON k.job_id = c.id JOIN job_input i ON i.job_id = c.id
CROSS JOIN clock
"""
assert sources("claim") == {State.QUEUED}  # noqa: S101 - the statement spells it out

# A bound count says nothing to the planner: it reckons with a tenth of all that waits and,
# before a million, makes a new plan for every claim. Written out, the plan is kept, and
# so that there are few to keep, only some counts are usual.
_USUAL_COUNTS: Final[tuple[int, ...]] = (
    *range(1, 9),
    *range(16, 65, 8),
    *range(96, 257, 32),
)


def usual_count(room: int) -> int:
    """How many jobs to claim into so much room: the highest usual count within it."""
    return _USUAL_COUNTS[bisect_right(_USUAL_COUNTS, room) - 1]


FLOOR_SLACK: Final = 100_000
"""How far behind the clock a claim looks, in tokens of a tenant of weight 1."""


async def claim(
    tx: Transaction, *, count: int, worker_id: str, lease: timedelta, whole: bool
) -> list[Claim]:
    """Claim up to `count` jobs, best one of `usual_count`; none due: an empty list."""
    rows = await tx.execute(
        text(CLAIM_SQL.format(count=count)),
        {
            "worker": worker_id,
            "lease": lease,
            "whole": whole,
            "slack": FLOOR_SLACK,
        },
    )
    return [
        Claim(
            id=row.id,
            tenant_id=row.tenant_id,
            fence=row.fence,
            attempt=row.attempt,
            suspect=row.suspect,
            characters=row.characters,
            options=row.options,
            deadline=row.deadline,
            wrapped_key=row.wrapped,
            sealed_text=row.sealed,
        )
        for row in rows
    ]


_CLAIMED: Final = f"""
SELECT id, fence FROM job
WHERE state IN ({sql_list([State.RUNNING])}) AND worker_id = :worker
"""


async def list_claimed(tx: Transaction, *, worker_id: str) -> dict[UUID, int]:
    """What a worker holds as Postgres knows it, each with its fence."""
    rows = await tx.execute(text(_CLAIMED), {"worker": worker_id})
    return {row.id: row.fence for row in rows}


_RENEW: Final = """
WITH mine AS (
    SELECT * FROM unnest(CAST(:ids AS uuid[]), CAST(:fences AS bigint[]))
        AS m (id, fence)
), held AS (
    SELECT j.id FROM job j JOIN mine m ON j.id = m.id AND j.fence = m.fence
    WHERE j.lease_until > statement_timestamp()
    ORDER BY j.id FOR NO KEY UPDATE OF j
)
UPDATE job SET lease_until = statement_timestamp() + CAST(:lease AS interval)
FROM held WHERE job.id = held.id
RETURNING job.id, job.cancel_requested
"""


async def renew_leases(
    tx: Transaction, claims: Sequence[Claim], *, lease: timedelta
) -> dict[UUID, bool]:
    """Heartbeat: gives the jobs still ours, each with whether a cancel was asked.

    A job that is missing is lost to us: abort its calls and write nothing more.
    """
    rows = await tx.execute(
        text(_RENEW),
        {
            "ids": [claim.id for claim in claims],
            "fences": [claim.fence for claim in claims],
            "lease": lease,
        },
    )
    return {row.id: row.cancel_requested for row in rows}


# An erasure ends a running job itself; its worker has only to stop.
_ASKED: Final = f"""
SELECT id FROM job WHERE id = ANY(CAST(:ids AS uuid[]))
  AND (cancel_requested AND state IN ({sql_list([State.RUNNING])})
       OR state IN ({sql_list([State.CANCELLED])}))
"""


async def find_cancelled(tx: Transaction, ids: Sequence[UUID]) -> set[UUID]:
    """Which of these jobs were asked to stop, or cancelled together with their erasure."""
    return {row.id for row in await tx.execute(text(_ASKED), {"ids": list(ids)})}


# Two lost workers may leave several suspects: were all workers alone with one each,
# nothing else would be done. The oldest goes first; its lease bounds the others'
# wait. One that has stored a chunk since is suspect no more.
_GOES_FIRST: Final = f"""
SELECT NOT EXISTS (
    SELECT 1 FROM job j
    WHERE j.state IN ({sql_list([State.RUNNING])}) AND j.suspect AND j.id < :id
      AND j.worker_id <> :worker AND j.lease_until > statement_timestamp()
      AND NOT EXISTS (SELECT 1 FROM chunk c WHERE c.job_id = j.id AND c.fence = j.fence))
"""


async def goes_first(tx: Transaction, suspect: Claim, *, worker_id: str) -> bool:
    """Whether no other worker holds a suspect that is older than this one."""
    asked = {"id": suspect.id, "worker": worker_id}
    return bool(await tx.scalar(text(_GOES_FIRST), asked))
