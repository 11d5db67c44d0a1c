"""Notices to owners at rest: claimed one at a time, under a lease and a fence.

They come to be in the statement that gives a delivery up or disables an endpoint
(`outcome_store`). A notice gathers until it is claimed; from then on its count stands,
and what happens later gathers in the next one, a day after this one at the earliest.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final
from uuid import UUID

from sqlalchemy import text

from notifier.outcome_store import TAKE_STEP
from notifier.outcomes import Outcome
from notifier.schedule import DeliveryState, NextStep
from plumbing.database import Transaction

QUIET: Final = timedelta(hours=24)
"""Between two notices about the same thing."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ClaimedNotice:
    """A notice in this process's hands until the lease ends."""

    id: UUID
    fence: int
    attempt: int
    """The number of the try to be made now; the first is 1."""
    doubts: int
    reason: str
    endpoint_id: UUID | None
    """None: it is about receivers that jobs named."""
    count: int
    happened_at: datetime
    owner_email: str


# A notice whose notifier died is taken as it is: nobody but this loop waits for it.
CLAIM_NOTICE_SQL: Final = """
WITH due AS (
    SELECT n.id FROM notice n
    WHERE n.finished_at IS NULL AND n.next_at <= statement_timestamp()
      AND (n.state <> 'sending' OR n.lease_until < statement_timestamp())
      AND (n.state <> 'gathering' OR NOT EXISTS (
          SELECT FROM notice b
          WHERE b.tenant_id = n.tenant_id AND b.reason = n.reason
            AND b.endpoint_id IS NOT DISTINCT FROM n.endpoint_id AND b.id <> n.id
            AND (b.finished_at IS NULL
              OR b.finished_at > statement_timestamp() - CAST(:quiet AS interval))))
    ORDER BY n.next_at LIMIT 1 FOR UPDATE SKIP LOCKED
), claimed AS (
    UPDATE notice n SET state = 'sending', fence = n.fence + 1,
        lease_until = statement_timestamp() + CAST(:lease AS interval)
    FROM due WHERE n.id = due.id
    RETURNING n.*
)
SELECT c.id, c.fence, c.attempt + 1 AS attempt, c.doubts, c.reason, c.endpoint_id,
       c.count, c.created_at AS happened_at, t.owner_email
FROM claimed c JOIN tenant t ON t.id = c.tenant_id
"""


async def claim_notice(tx: Transaction, *, lease: timedelta) -> ClaimedNotice | None:
    """Claim the notice that is due the longest; None: there is none."""
    values = {"lease": lease, "quiet": QUIET}
    row = (await tx.execute(text(CLAIM_NOTICE_SQL), values)).mappings().first()
    return None if row is None else ClaimedNotice(**row)


_RECORD: Final = f"UPDATE notice {TAKE_STEP}"


async def record_notice(
    tx: Transaction, notice: ClaimedNotice, outcome: Outcome, *, step: NextStep
) -> bool:
    """Take the step that follows; False: another process holds the notice now."""
    is_sent = step.state is DeliveryState.DELIVERED
    values = {
        "id": notice.id,
        "fence": notice.fence,
        "state": "sent" if is_sent else step.state.value,
        "doubts": notice.doubts + outcome.is_doubtful,
        "wait": step.wait,
        "code": outcome.code,
        "error": outcome.error,
    }
    return bool((await tx.execute(text(_RECORD), values)).rowcount)


_DOUBT: Final = """
UPDATE notice SET doubts = doubts + 1 WHERE id = :id AND fence = :fence
"""


async def note_doubt_of_notice(tx: Transaction, notice: ClaimedNotice) -> bool:
    """As `outcome_store.note_doubt` does for deliveries."""
    held = {"id": notice.id, "fence": notice.fence}
    return bool((await tx.execute(text(_DOUBT), held)).rowcount)
