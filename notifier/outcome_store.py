"""Writes down how an attempt ended: the delivery and its attempt, in one statement.

Every way out of `sending` is guarded by the fence alone, which the claim raised and
each leaving raises again: whoever was too slow changes nothing and is told so.
"""

from collections.abc import Sequence
from datetime import timedelta
from typing import Final
from uuid import UUID

from sqlalchemy import text

from notifier.claim_store import ClaimedDelivery
from notifier.outcomes import Outcome
from notifier.schedule import NextStep
from plumbing.database import Transaction

GIVE_UP_AFTER: Final = timedelta(days=5)
"""An endpoint that only failed for so long is disabled."""
_LOOK_BACK: Final = timedelta(days=10)
"""Longer than the five days and a delivery's whole schedule together."""

RECORD_SQL: Final = """
WITH changed AS (
    UPDATE delivery SET state = :state, fence = fence + 1, attempt = attempt + 1,
        lease_until = NULL, last_code = :code, last_error = :error,
        next_at = CASE WHEN :state = 'due'
                       THEN statement_timestamp() + CAST(:wait AS interval)
                       ELSE next_at END,
        finished_at = CASE WHEN :state <> 'due' THEN statement_timestamp() END
    WHERE id = :id AND fence = :fence
    RETURNING id, attempt, endpoint_id
), noted AS (
    INSERT INTO delivery_attempt (delivery_id, number, started_at, finished_at, code, error)
    SELECT id, attempt, statement_timestamp() - CAST(:took AS interval),
           statement_timestamp(), :code, :error
    FROM changed
), disabled AS (
    UPDATE webhook_endpoint w SET state = 'disabled', disabled_reason = 'gone'
    FROM changed
    WHERE CAST(:disables AS boolean) AND w.id = changed.endpoint_id
      AND w.state = 'enabled'
    RETURNING w.id
), cancelled AS (
    UPDATE delivery d SET state = 'cancelled', fence = d.fence + 1,
        finished_at = statement_timestamp()
    FROM disabled WHERE d.endpoint_id = disabled.id AND d.state = 'due'
)
SELECT count(*) FROM changed
"""


async def record_attempt(
    tx: Transaction,
    delivery: ClaimedDelivery,
    outcome: Outcome,
    *,
    step: NextStep,
    took: timedelta,
) -> bool:
    """Take the step and note the attempt; False: the delivery is no longer ours."""
    values = {
        "id": delivery.id,
        "fence": delivery.fence,
        "state": step.state.value,
        "wait": step.wait,
        "code": outcome.code,
        "error": outcome.error,
        "took": took,
        "disables": step.disables_endpoint,
    }
    return bool(await tx.scalar(text(RECORD_SQL), values))


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


# A success ends the run of failures; one of them must be older than the limit.
_DISABLE: Final = """
WITH success AS (
    SELECT coalesce(max(finished_at), '-infinity') AS last FROM delivery
    WHERE endpoint_id = :endpoint AND state = 'delivered'
      AND created_at > statement_timestamp() - CAST(:look_back AS interval)
), disabled AS (
    UPDATE webhook_endpoint w
    SET state = 'disabled', disabled_reason = 'only_failures'
    WHERE w.id = :endpoint AND w.state = 'enabled' AND EXISTS (
        SELECT 1 FROM delivery d JOIN delivery_attempt a ON a.delivery_id = d.id
        CROSS JOIN success
        WHERE d.endpoint_id = :endpoint AND a.error IS NOT NULL
          AND d.created_at BETWEEN statement_timestamp() - CAST(:look_back AS interval)
                               AND statement_timestamp() - CAST(:give_up AS interval)
          AND a.started_at < statement_timestamp() - CAST(:give_up AS interval)
          AND a.started_at > success.last)
    RETURNING w.id
), cancelled AS (
    UPDATE delivery d SET state = 'cancelled', fence = d.fence + 1,
        finished_at = statement_timestamp()
    FROM disabled WHERE d.endpoint_id = disabled.id AND d.state = 'due'
)
SELECT count(*) FROM disabled
"""


async def disable_if_dead(tx: Transaction, endpoint_id: UUID) -> bool:
    """Disable an endpoint whose attempts only failed for five days; True: it was."""
    values = {
        "endpoint": endpoint_id,
        "look_back": _LOOK_BACK,
        "give_up": GIVE_UP_AFTER,
    }
    return bool(await tx.scalar(text(_DISABLE), values))
