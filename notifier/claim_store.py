"""Takes due deliveries lane by lane, and takes back those whose sender went silent.

A lane is an endpoint, a host or a mail domain: each holds a few deliveries at once, so
a dead one cannot fill the due index or the slots of this process. A lapsed lease
repeats the step it stood at; only recorded attempts advance the schedule.
"""

import sys
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final
from uuid import UUID

from sqlalchemy import text

from jobs.store.due_lanes import DUE_LANES
from plumbing.database import Transaction

LANE_LIMIT: Final = 5
"""Deliveries of one lane that are sent at the same time."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Restraint:
    """What this process would rather not take now."""

    resting: Sequence[str] = ()
    """Lanes that failed several times in a row."""
    trying: Sequence[str] = ()
    """Lanes that have rested: one delivery finds out."""
    crowded: Sequence[UUID] = ()
    """Tenants who hold their share of the slots already."""
    share: int = sys.maxsize
    """How many of one tenant's may be taken by one claim."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ClaimedDelivery:
    """A delivery in this process's hands until the lease ends."""

    id: UUID
    fence: int
    attempt: int
    """The number of the try to be made now; the first is 1."""
    doubts: int
    """How often the relay may have taken the mail without our knowing."""
    kind: str
    lane: str
    tenant_id: UUID
    job_id: UUID
    event_id: str
    event_type: str
    happened_at: datetime
    body: bytes | None
    """None until the first attempt for the event freezes it."""
    endpoint_id: UUID | None
    endpoint_state: str | None
    receiver: str
    """A URL or a mailbox."""
    secret: bytes
    previous_secret: bytes | None


CLAIM_SQL: Final = f"""{DUE_LANES}, due AS MATERIALIZED (
    SELECT ranked.id FROM (
    SELECT picked.*, row_number() OVER (
        PARTITION BY picked.tenant_id ORDER BY picked.attempt > 0, picked.next_at) AS place
    FROM lanes e CROSS JOIN LATERAL (
        SELECT d.id, d.next_at, d.attempt, d.tenant_id FROM delivery d
        WHERE d.lane = e.lane AND d.state = 'due' AND d.next_at <= statement_timestamp()
        ORDER BY d.next_at
        LIMIT greatest(0,
            CASE WHEN e.lane = ANY(CAST(:trying AS text[])) THEN 1 ELSE {LANE_LIMIT} END
            - (SELECT count(*) FROM delivery b
               WHERE b.lane = e.lane AND b.state = 'sending'))
        FOR UPDATE SKIP LOCKED
    ) picked
    WHERE e.lane IS NOT NULL AND e.lane <> ALL(CAST(:resting AS text[]))
      AND picked.tenant_id <> ALL(CAST(:crowded AS uuid[]))
    ) ranked WHERE ranked.place <= :share
    -- Those never tried come first: retries must not delay them.
    ORDER BY ranked.attempt > 0, ranked.next_at LIMIT :count
), claimed AS (
    UPDATE delivery d SET state = 'sending', fence = d.fence + 1,
        lease_until = statement_timestamp() + CASE d.kind
            WHEN 'email' THEN CAST(:mail_lease AS interval)
            ELSE CAST(:webhook_lease AS interval) END
    FROM due WHERE d.id = due.id
    RETURNING d.*
)
SELECT c.id, c.fence, c.attempt + 1 AS attempt, c.kind, c.lane, c.tenant_id, c.job_id,
       c.event_id, e.type AS event_type, e.created_at AS happened_at, e.body,
       c.endpoint_id, w.state AS endpoint_state, coalesce(w.url, c.receiver) AS receiver,
       CASE WHEN w.id IS NULL THEN t.webhook_secret ELSE w.secret END AS secret,
       CASE WHEN w.id IS NULL AND t.webhook_secret_rotated_at > overlap.since
                THEN t.webhook_secret_previous
            WHEN w.rotated_at > overlap.since THEN w.secret_previous
       END AS previous_secret, c.doubts
FROM claimed c
JOIN event e ON e.id = c.event_id
JOIN tenant t ON t.id = c.tenant_id
LEFT JOIN webhook_endpoint w ON w.id = c.endpoint_id
CROSS JOIN (SELECT statement_timestamp() - interval '24 hours' AS since) overlap
"""


async def claim_deliveries(
    tx: Transaction,
    *,
    count: int,
    webhook_lease: timedelta,
    mail_lease: timedelta,
    restraint: Restraint,
) -> list[ClaimedDelivery]:
    """Claim up to `count` deliveries; none due gives an empty list."""
    values = {
        "count": count,
        "webhook_lease": webhook_lease,
        "mail_lease": mail_lease,
        "resting": list(restraint.resting),
        "trying": list(restraint.trying),
        "crowded": list(restraint.crowded),
        "share": restraint.share,
    }
    return [_claimed(row) for row in await tx.execute(text(CLAIM_SQL), values)]


SWEEP_SQL: Final = """
UPDATE delivery d
SET state = 'due', fence = d.fence + 1, lease_until = NULL,
    next_at = statement_timestamp()
FROM (SELECT id FROM delivery
      WHERE state = 'sending' AND lease_until < statement_timestamp()
      FOR UPDATE SKIP LOCKED) lapsed
WHERE d.id = lapsed.id
"""


async def sweep_lapsed(tx: Transaction) -> int:
    """Make deliveries due again whose sender let the lease lapse; how many."""
    return (await tx.execute(text(SWEEP_SQL))).rowcount


_FREEZE: Final = """
UPDATE event SET body = coalesce(body, :body) WHERE id = :id RETURNING body
"""


async def freeze_body(tx: Transaction, event_id: str, *, body: bytes) -> bytes:
    """The event's bytes: these, or those that another attempt has frozen before."""
    frozen = await tx.scalar(text(_FREEZE), {"id": event_id, "body": body})
    return bytes(frozen)


def _claimed(row: Any) -> ClaimedDelivery:
    return ClaimedDelivery(
        id=row.id,
        fence=row.fence,
        attempt=row.attempt,
        doubts=row.doubts,
        kind=row.kind,
        lane=row.lane,
        tenant_id=row.tenant_id,
        job_id=row.job_id,
        event_id=row.event_id,
        event_type=row.event_type,
        happened_at=row.happened_at,
        body=row.body,
        endpoint_id=row.endpoint_id,
        endpoint_state=row.endpoint_state,
        receiver=row.receiver,
        secret=row.secret,
        previous_secret=row.previous_secret,
    )
