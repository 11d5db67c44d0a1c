"""Deliveries as their owner sees them, with every attempt; and sending one again.

Every query carries the tenant. Claiming, sending and recording are the notifier's.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final, Literal
from uuid import UUID

from sqlalchemy import text

from jobs.errors import JobError
from jobs.ids import new_id
from jobs.store.endpoint_store import get_endpoint
from plumbing.database import Transaction

REPLAYABLE_FOR: Final = timedelta(days=30)

ReplayObstacle = Literal["delivery_unfinished", "replay_expired", "endpoint_disabled"]


class DeliveryUnknown(JobError):
    """No such delivery, or not this tenant's."""


class ReplayRefused(JobError):
    """The delivery cannot be sent again; `obstacle` says why."""

    def __init__(self, obstacle: ReplayObstacle) -> None:
        super().__init__(obstacle)
        self.obstacle: ReplayObstacle = obstacle


@dataclass(frozen=True, slots=True, kw_only=True)
class Attempt:
    number: int
    started_at: datetime
    finished_at: datetime
    code: int | None
    """The status of the answer, if one came."""
    error: str | None
    """Why the attempt failed, in a stable word; None: it did not."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Delivery:
    id: UUID
    event_id: str
    event_type: str
    job_id: UUID
    kind: str
    endpoint_id: UUID | None
    receiver: str | None
    """The URL or mailbox that was named with the job; None: an endpoint was."""
    state: str
    next_at: datetime | None
    """When the next attempt is due; None when there will be none."""
    replay_of: UUID | None
    created_at: datetime
    finished_at: datetime | None
    attempts: tuple[Attempt, ...]


_SELECT: Final = """
SELECT d.id, d.event_id, e.type AS event_type, d.job_id, d.kind, d.endpoint_id,
       d.receiver, d.state, d.replay_of, d.created_at, d.finished_at,
       CASE WHEN d.state = 'due' THEN d.next_at END AS next_at
FROM delivery d JOIN event e ON e.id = d.event_id
"""
_GET: Final = f"{_SELECT} WHERE d.id = :id AND d.tenant_id = :tenant"


async def get_delivery(
    tx: Transaction, delivery_id: UUID, *, tenant_id: UUID
) -> Delivery:
    """The tenant's delivery; `DeliveryUnknown` alike for unknown and foreign ids."""
    values = {"id": delivery_id, "tenant": tenant_id}
    row = (await tx.execute(text(_GET), values)).first()
    if row is None:
        raise DeliveryUnknown(str(delivery_id))
    return (await _with_attempts(tx, [row]))[0]


# Ids tell nothing of time; the order is that of the indexes.
_PAGE: Final = """
  AND d.tenant_id = :tenant
  AND (CAST(:before AS uuid) IS NULL OR (d.created_at, d.id) <
       (SELECT b.created_at, b.id FROM delivery b
        WHERE b.id = CAST(:before AS uuid) AND b.tenant_id = :tenant))
ORDER BY d.created_at DESC, d.id DESC LIMIT :limit
"""
_OF_ENDPOINT: Final = f"{_SELECT} WHERE d.endpoint_id = :of {_PAGE}"
_OF_JOB: Final = f"{_SELECT} WHERE d.job_id = :of {_PAGE}"
_EXHAUSTED: Final = f"{_SELECT} WHERE d.state = 'exhausted' {_PAGE}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Page:
    """Of whose deliveries, how many, and after which one the page begins."""

    tenant_id: UUID
    limit: int
    before_id: UUID | None = None


async def list_deliveries(
    tx: Transaction, endpoint_id: UUID, *, page: Page
) -> list[Delivery]:
    """Deliveries to an endpoint, newest first; raises `EndpointUnknown`."""
    await get_endpoint(tx, endpoint_id, tenant_id=page.tenant_id)
    return await _list(tx, _OF_ENDPOINT, page, of=endpoint_id)


async def list_job_deliveries(
    tx: Transaction, job_id: UUID, *, page: Page
) -> list[Delivery]:
    """All that was or is to be told of a job, newest first; none of a foreign one."""
    return await _list(tx, _OF_JOB, page, of=job_id)


async def list_exhausted(tx: Transaction, *, page: Page) -> list[Delivery]:
    """What was given up after the last try, newest first, whoever was to get it."""
    return await _list(tx, _EXHAUSTED, page)


async def _list(
    tx: Transaction, statement: str, page: Page, **values: UUID
) -> list[Delivery]:
    bound = {"tenant": page.tenant_id, "before": page.before_id, "limit": page.limit}
    found = await tx.execute(text(statement), bound | values)
    return await _with_attempts(tx, found.all())


# FOR SHARE: the endpoint must not be deleted between this look and the insert.
_OBSTACLE: Final = """
SELECT CASE
    WHEN d.state IN ('due', 'sending') THEN 'delivery_unfinished'
    WHEN d.finished_at < statement_timestamp() - CAST(:kept AS interval)
        THEN 'replay_expired'
    WHEN w.state <> 'enabled' THEN 'endpoint_disabled'
END AS obstacle
FROM delivery d
LEFT JOIN LATERAL (
    SELECT state FROM webhook_endpoint WHERE id = d.endpoint_id FOR SHARE
) w ON true
WHERE d.id = :id AND d.tenant_id = :tenant
"""
_REPLAY: Final = """
INSERT INTO delivery (id, event_id, job_id, tenant_id, kind, endpoint_id, receiver,
                      lane, replay_of)
SELECT :new, event_id, job_id, tenant_id, kind, endpoint_id, receiver, lane, id
FROM delivery WHERE id = :id
"""


async def replay_delivery(
    tx: Transaction, delivery_id: UUID, *, tenant_id: UUID
) -> Delivery:
    """Send it again: a new delivery of the same event, with a schedule of its own.

    Raises `DeliveryUnknown` or `ReplayRefused`. Needs a `transaction()`.
    """
    values = {"id": delivery_id, "tenant": tenant_id, "kept": REPLAYABLE_FOR}
    row = (await tx.execute(text(_OBSTACLE), values)).first()
    if row is None:
        raise DeliveryUnknown(str(delivery_id))
    if row.obstacle is not None:
        raise ReplayRefused(row.obstacle)
    new = new_id()
    await tx.execute(text(_REPLAY), {"new": new, "id": delivery_id})
    return await get_delivery(tx, new, tenant_id=tenant_id)


_ATTEMPTS: Final = """
SELECT delivery_id, number, started_at, finished_at, code, error
FROM delivery_attempt WHERE delivery_id = ANY(CAST(:ids AS uuid[]))
ORDER BY delivery_id, number
"""


async def _with_attempts(tx: Transaction, rows: Sequence[Any]) -> list[Delivery]:
    attempts: dict[UUID, list[Attempt]] = {row.id: [] for row in rows}
    for row in await tx.execute(text(_ATTEMPTS), {"ids": list(attempts)}):
        attempts[row.delivery_id].append(_attempt(row))
    return [_delivery(row, tuple(attempts[row.id])) for row in rows]


def _attempt(row: Any) -> Attempt:
    return Attempt(
        number=row.number,
        started_at=row.started_at,
        finished_at=row.finished_at,
        code=row.code,
        error=row.error,
    )


def _delivery(row: Any, attempts: tuple[Attempt, ...]) -> Delivery:
    return Delivery(
        id=row.id,
        event_id=row.event_id,
        event_type=row.event_type,
        job_id=row.job_id,
        kind=row.kind,
        endpoint_id=row.endpoint_id,
        receiver=row.receiver,
        state=row.state,
        next_at=row.next_at,
        replay_of=row.replay_of,
        created_at=row.created_at,
        finished_at=row.finished_at,
        attempts=attempts,
    )
