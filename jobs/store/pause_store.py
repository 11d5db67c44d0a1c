"""What an operator has paused: tenants, tiers and pools.

A tenant's pause has steps, because its jobs have to be moved (`operations.pause`); a
tier or pool is paused or it is not. The statements that leave paused jobs alone take
their conditions from here.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Final
from uuid import UUID

from sqlalchemy import text

from plumbing.database import Transaction

ASIDE: Final = 1 << 62
"""Tags from here on belong to jobs that were set aside."""

PAUSED_TENANTS: Final = """ARRAY(
    SELECT tenant_id FROM pause WHERE scope = 'tenant' AND step <> 'resuming')"""
"""An array in SQL, read once a statement. A claim leaves out jobs that it names: those
that were admitted, handed back or woken before they could be set aside."""

BATCH_IS_PAUSED: Final = (
    "EXISTS (SELECT FROM pause WHERE scope IN ('tier', 'pool') AND name = 'batch')"
)


class Scope(StrEnum):
    TENANT = "tenant"
    TIER = "tier"
    POOL = "pool"


@dataclass(frozen=True, slots=True, kw_only=True)
class Pause:
    scope: Scope
    name: str
    tenant_id: UUID | None
    step: str
    """`pausing` and `resuming` while a tenant's jobs are being moved, else `paused`."""
    actor: str
    since: datetime


_LIST: Final = """
SELECT scope, name, tenant_id, step, actor, since FROM pause ORDER BY scope, name
"""


async def list_pauses(tx: Transaction) -> list[Pause]:
    return [
        Pause(
            scope=Scope(row.scope),
            name=row.name,
            tenant_id=row.tenant_id,
            step=row.step,
            actor=row.actor,
            since=row.since,
        )
        for row in await tx.execute(text(_LIST))
    ]


_PAUSE: Final = """
INSERT INTO pause AS p (scope, name, tenant_id, step, actor)
VALUES (:scope, :name, :tenant,
        CASE WHEN CAST(:tenant AS uuid) IS NULL THEN 'paused' ELSE 'pausing' END, :actor)
ON CONFLICT (scope, name) DO UPDATE
SET step = 'pausing', actor = excluded.actor, since = statement_timestamp()
WHERE p.step = 'resuming'
"""


async def begin_pause(
    tx: Transaction, scope: Scope, name: str, *, tenant_id: UUID | None, actor: str
) -> bool:
    """Pause it from now on; False: it is paused already."""
    values = {"scope": scope, "name": name, "tenant": tenant_id, "actor": actor}
    return (await tx.execute(text(_PAUSE), values)).rowcount == 1


_RESUME_TENANT: Final = """
UPDATE pause SET step = 'resuming', actor = :actor, since = statement_timestamp()
WHERE scope = :scope AND name = :name AND step <> 'resuming'
"""
_RESUME: Final = "DELETE FROM pause WHERE scope = :scope AND name = :name"


async def begin_resume(tx: Transaction, scope: Scope, name: str, *, actor: str) -> bool:
    """Let it go on; False: it is not paused, or is being resumed already."""
    statement = _RESUME_TENANT if scope is Scope.TENANT else _RESUME
    values = {"scope": scope, "name": name, "actor": actor}
    return (await tx.execute(text(statement), values)).rowcount == 1


_SETTLE: Final = """
UPDATE pause SET step = 'paused' WHERE tenant_id = :tenant AND step = 'pausing'
  AND since < statement_timestamp() - CAST(:late AS interval)
"""
_END: Final = """
DELETE FROM pause WHERE tenant_id = :tenant AND step = 'resuming'
  AND since < statement_timestamp() - CAST(:late AS interval)
"""
# An admission that began under the old state of affairs has ended by then.
_LATE: Final = timedelta(seconds=10)


async def settle_pause(tx: Transaction, tenant_id: UUID) -> None:
    """None of the tenant's jobs is left to be set aside; soon none will come, either."""
    await tx.execute(text(_SETTLE), {"tenant": tenant_id, "late": _LATE})


async def end_pause(tx: Transaction, tenant_id: UUID) -> None:
    """All of the tenant's jobs are back in line; soon none will come aside, either."""
    await tx.execute(text(_END), {"tenant": tenant_id, "late": _LATE})
