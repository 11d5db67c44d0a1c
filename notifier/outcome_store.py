"""Writes down how an attempt ended: the delivery and all that follows, in one statement.

Every way out of `sending` is guarded by the fence alone, which the claim raised and
each leaving raises again: whoever was too slow changes nothing and is told so. What
the owner must know (given up, disabled) becomes a notice in the same statement.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Final

from sqlalchemy import text

from notifier.claim_store import ClaimedDelivery
from notifier.outcomes import Outcome, Verdict
from notifier.schedule import NextStep
from plumbing.database import Transaction

GIVE_UP_AFTER: Final = timedelta(days=5)
"""An endpoint that only failed for so long is disabled."""
GATHER: Final = timedelta(minutes=5)
"""What is given up within this time of one another is told in one mail."""

TAKE_STEP: Final = """
    SET state = :state, fence = fence + 1, attempt = attempt + 1,
        doubts = :doubts, lease_until = NULL, last_code = :code, last_error = :error,
        next_at = CASE WHEN :state = 'due'
                       THEN statement_timestamp() + CAST(:wait AS interval)
                       ELSE next_at END,
        finished_at = CASE WHEN :state <> 'due' THEN statement_timestamp() END
    WHERE id = :id AND fence = :fence
"""
"""What an attempt makes of its row, a delivery's or a notice's, while it is ours."""

_CHANGED: Final = f"""
WITH changed AS (
    UPDATE delivery {TAKE_STEP}
    RETURNING id, attempt, tenant_id, endpoint_id, state
), noted AS (
    INSERT INTO delivery_attempt (delivery_id, number, started_at, finished_at, code, error)
    SELECT id, attempt, statement_timestamp() - CAST(:took AS interval),
           statement_timestamp(), :code, :error
    FROM changed
)"""

RECORD_SUCCESS_SQL: Final = f"""{_CHANGED}, healed AS (
    UPDATE webhook_endpoint w SET failing_since = NULL FROM changed
    WHERE w.id = changed.endpoint_id AND w.failing_since IS NOT NULL
)
SELECT EXISTS (SELECT FROM changed) AS is_ours, false AS disabled
"""

_FAILS_FOR_LONG: Final = (
    "w.failing_since <= statement_timestamp() - CAST(:give_up AS interval)"
)
# `judged` comes first in what `told` reads: endpoint before notice, in one lock order.
RECORD_FAILURE_SQL: Final = f"""{_CHANGED}, judged AS (
    UPDATE webhook_endpoint w SET
        failing_since = coalesce(w.failing_since, statement_timestamp()),
        state = CASE WHEN CAST(:gone AS boolean) OR {_FAILS_FOR_LONG}
                     THEN 'disabled' ELSE w.state END,
        disabled_reason = CASE WHEN CAST(:gone AS boolean) THEN 'gone'
                               WHEN {_FAILS_FOR_LONG} THEN 'only_failures' END
    FROM changed
    WHERE w.id = changed.endpoint_id AND w.state = 'enabled'
      AND NOT CAST(:is_our_fault AS boolean)
      AND (w.failing_since IS NULL OR CAST(:gone AS boolean) OR {_FAILS_FOR_LONG})
    RETURNING w.id, w.tenant_id, w.state, w.disabled_reason
), disabled AS (
    SELECT * FROM judged WHERE state = 'disabled'
), cancelled AS (
    UPDATE delivery d SET state = 'cancelled', fence = d.fence + 1,
        finished_at = statement_timestamp()
    FROM disabled WHERE d.endpoint_id = disabled.id AND d.state = 'due'
), told AS (
    INSERT INTO notice (tenant_id, endpoint_id, reason, next_at)
    SELECT tenant_id, id, disabled_reason, statement_timestamp() FROM disabled
    UNION ALL
    SELECT tenant_id, endpoint_id, 'exhausted',
           statement_timestamp() + CAST(:gather AS interval)
    FROM changed WHERE state = 'exhausted'
    ON CONFLICT (tenant_id, reason, endpoint_id) WHERE state = 'gathering'
        DO UPDATE SET count = notice.count + 1
)
SELECT EXISTS (SELECT FROM changed) AS is_ours,
       EXISTS (SELECT FROM disabled) AS disabled
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Recorded:
    is_ours: bool
    """False: another process holds the delivery now, and nothing was written."""
    disabled: bool
    """The attempt was the one that disabled its endpoint."""


async def record_attempt(
    tx: Transaction,
    delivery: ClaimedDelivery,
    outcome: Outcome,
    *,
    step: NextStep,
    took: timedelta,
) -> Recorded:
    """Take the step, note the attempt and judge the endpoint, under the fence."""
    values = {
        "id": delivery.id,
        "fence": delivery.fence,
        "state": step.state.value,
        "doubts": delivery.doubts + outcome.is_doubtful,
        "wait": step.wait,
        "code": outcome.code,
        "error": outcome.error,
        "took": took,
    }
    if outcome.verdict is Verdict.ACCEPTED:
        statement = RECORD_SUCCESS_SQL
    else:
        statement = RECORD_FAILURE_SQL
        values |= {
            "gone": step.disables_endpoint,
            "is_our_fault": outcome.is_our_fault,
            "give_up": GIVE_UP_AFTER,
            "gather": GATHER,
        }
    row = (await tx.execute(text(statement), values)).one()
    return Recorded(is_ours=row.is_ours, disabled=row.disabled)


_DOUBT: Final = """
UPDATE delivery SET doubts = :doubts WHERE id = :id AND fence = :fence
"""


async def note_doubt(tx: Transaction, delivery: ClaimedDelivery) -> bool:
    """Write down that a relay is about to get the mail; False: it is not ours to send.

    Who dies before the relay's word was recorded leaves this behind, so that nobody
    sends the mail again and again. Said twice, it is one doubt.
    """
    held = {
        "id": delivery.id,
        "fence": delivery.fence,
        "doubts": delivery.doubts + 1,
    }
    return bool((await tx.execute(text(_DOUBT), held)).rowcount)


_CANCEL: Final = """
UPDATE delivery SET state = 'cancelled', fence = fence + 1, lease_until = NULL,
    finished_at = statement_timestamp()
WHERE id = :id AND fence = :fence
"""


async def cancel_unsent(tx: Transaction, delivery: ClaimedDelivery) -> None:
    """End a delivery whose endpoint went away before it was sent."""
    await tx.execute(text(_CANCEL), {"id": delivery.id, "fence": delivery.fence})


_RELEASE: Final = """
UPDATE delivery d SET state = 'due', fence = d.fence + 1, lease_until = NULL,
    next_at = statement_timestamp()
FROM unnest(CAST(:ids AS uuid[]), CAST(:fences AS bigint[])) AS held (id, fence)
WHERE d.id = held.id AND d.fence = held.fence
"""


async def release(tx: Transaction, deliveries: Sequence[ClaimedDelivery]) -> None:
    """Give back what could not be finished; another process repeats the step."""
    held = {
        "ids": [delivery.id for delivery in deliveries],
        "fences": [delivery.fence for delivery in deliveries],
    }
    await tx.execute(text(_RELEASE), held)
