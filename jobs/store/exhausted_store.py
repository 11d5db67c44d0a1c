"""Deliveries that were given up, of all tenants, as an operator sees them.

Receivers are not read: an endpoint is told by its id. A tenant's own view, and sending
again, are `delivery_store`'s.
"""

from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final
from uuid import UUID

from sqlalchemy import text

from plumbing.database import Transaction


@dataclass(frozen=True, slots=True, kw_only=True)
class GivenUp:
    id: UUID
    tenant_id: UUID
    tenant: str
    job_id: UUID
    kind: str
    endpoint_id: UUID | None
    """None: the receiver was named with the job."""
    state: str
    attempt: int
    last_code: int | None
    last_error: str | None
    finished_at: datetime | None
    is_replayed: bool


_SELECT: Final = """
SELECT d.id, d.tenant_id, t.name AS tenant, d.job_id, d.kind, d.endpoint_id, d.state,
       d.attempt, d.last_code, d.last_error, d.finished_at,
       EXISTS (SELECT FROM delivery r WHERE r.replay_of = d.id) AS is_replayed
FROM delivery d JOIN tenant t ON t.id = d.tenant_id
"""
_LIST: Final = f"""{_SELECT}
WHERE d.state = 'exhausted' ORDER BY d.finished_at DESC LIMIT :limit
"""
_FIND: Final = f"{_SELECT} WHERE d.id = :id"


async def list_given_up(tx: Transaction, *, limit: int) -> list[GivenUp]:
    """The latest, the oldest of them first."""
    rows = await tx.execute(text(_LIST), {"limit": limit})
    return [_given_up(row) for row in rows][::-1]


async def find_delivery(tx: Transaction, delivery_id: UUID) -> GivenUp | None:
    """The delivery, given up or not."""
    row = (await tx.execute(text(_FIND), {"id": delivery_id})).first()
    return _given_up(row) if row else None


def _given_up(row: Any) -> GivenUp:
    return GivenUp(**row._mapping)  # noqa: SLF001 - SQLAlchemy's public name
