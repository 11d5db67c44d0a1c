"""Webhook endpoints that tenants registered. Every query carries the tenant.

Secrets come sealed by the master key under `webhook-secret:<endpoint id in hex>` and
rest so. What a URL may be is judged before it gets here; sending is the notifier's.
"""

from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final
from uuid import UUID

from sqlalchemy import text

from jobs.errors import EndpointUnknown, JobError
from plumbing.database import Transaction

MAX_ENDPOINTS: Final = 100
"""Of one tenant, deleted ones not counted."""


class TooManyEndpoints(JobError):
    """The tenant has as many endpoints as it may; delete one first."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Endpoint:
    id: UUID
    tenant_id: UUID
    url: str
    description: str
    state: str
    """enabled or disabled; deleted ones are no longer shown."""
    disabled_reason: str | None
    rotated_at: datetime | None
    created_at: datetime


_COLUMNS: Final = (
    "id, tenant_id, url, description, state, disabled_reason, rotated_at, created_at"
)
_COUNT: Final = """
SELECT count(*) FROM webhook_endpoint WHERE tenant_id = :tenant AND state <> 'deleted'
"""
_CREATE: Final = f"""
INSERT INTO webhook_endpoint (id, tenant_id, url, description, secret)
VALUES (:id, :tenant, :url, :description, :secret) RETURNING {_COLUMNS}
"""


async def create_endpoint(
    tx: Transaction,
    endpoint_id: UUID,
    *,
    tenant_id: UUID,
    url: str,
    description: str,
    sealed_secret: bytes,
) -> Endpoint:
    """Insert the endpoint, or raise `TooManyEndpoints`. Needs a `transaction()`."""
    # Two at once would both count the others only. Callers have no right to lock the
    # tenant's row.
    lock = text("SELECT pg_advisory_xact_lock(hashtextextended(:name, 0))")
    await tx.execute(lock, {"name": f"webhook-endpoints:{tenant_id}"})
    if (await tx.scalar(text(_COUNT), {"tenant": tenant_id})) >= MAX_ENDPOINTS:
        raise TooManyEndpoints(f"{MAX_ENDPOINTS} endpoints")
    values = {
        "id": endpoint_id,
        "tenant": tenant_id,
        "url": url,
        "description": description,
        "secret": sealed_secret,
    }
    return _endpoint((await tx.execute(text(_CREATE), values)).one())


_GET: Final = f"""
SELECT {_COLUMNS} FROM webhook_endpoint
WHERE id = :id AND tenant_id = :tenant AND state <> 'deleted'
"""


async def get_endpoint(
    tx: Transaction, endpoint_id: UUID, *, tenant_id: UUID
) -> Endpoint:
    """The tenant's endpoint; `EndpointUnknown` alike for foreign and deleted ones."""
    found = await tx.execute(text(_GET), {"id": endpoint_id, "tenant": tenant_id})
    return _known(found.first(), endpoint_id)


_LIST: Final = f"""
SELECT {_COLUMNS} FROM webhook_endpoint
WHERE tenant_id = :tenant AND state <> 'deleted' ORDER BY id DESC
"""


async def list_endpoints(tx: Transaction, *, tenant_id: UUID) -> list[Endpoint]:
    """All of the tenant's endpoints, newest first."""
    found = await tx.execute(text(_LIST), {"tenant": tenant_id})
    return [_endpoint(row) for row in found]


_ROTATE: Final = f"""
UPDATE webhook_endpoint
SET secret_previous = secret, secret = :sealed, rotated_at = statement_timestamp()
WHERE id = :id AND tenant_id = :tenant AND state <> 'deleted' RETURNING {_COLUMNS}
"""


async def rotate_endpoint_secret(
    tx: Transaction, endpoint_id: UUID, *, tenant_id: UUID, sealed_secret: bytes
) -> Endpoint:
    """Put a new secret in place; the one before goes on signing for 24 hours."""
    values = {"id": endpoint_id, "tenant": tenant_id, "sealed": sealed_secret}
    return _known((await tx.execute(text(_ROTATE), values)).first(), endpoint_id)


# Enabling what is enabled must not begin its five days of failures anew.
_ENABLE: Final = f"""
UPDATE webhook_endpoint SET state = 'enabled', disabled_reason = NULL,
    failing_since = CASE WHEN state = 'enabled' THEN failing_since END
WHERE id = :id AND tenant_id = :tenant AND state <> 'deleted' RETURNING {_COLUMNS}
"""


async def enable_endpoint(
    tx: Transaction, endpoint_id: UUID, *, tenant_id: UUID
) -> Endpoint:
    """Tell a disabled endpoint of endings again; an enabled one stays as it is."""
    values = {"id": endpoint_id, "tenant": tenant_id}
    return _known((await tx.execute(text(_ENABLE), values)).first(), endpoint_id)


# A delivery that is being sent meanwhile is cancelled when it comes back undelivered.
_DELETE: Final = f"""
WITH deleted AS (
    UPDATE webhook_endpoint SET state = 'deleted'
    WHERE id = :id AND tenant_id = :tenant AND state <> 'deleted' RETURNING {_COLUMNS}
), cancelled AS (
    UPDATE delivery d
    SET state = 'cancelled', fence = d.fence + 1, finished_at = statement_timestamp()
    FROM deleted WHERE d.endpoint_id = deleted.id AND d.state = 'due'
)
SELECT * FROM deleted
"""


async def delete_endpoint(
    tx: Transaction, endpoint_id: UUID, *, tenant_id: UUID
) -> None:
    """Show the endpoint no more, and cancel what was still to be sent to it."""
    found = await tx.execute(text(_DELETE), {"id": endpoint_id, "tenant": tenant_id})
    _known(found.first(), endpoint_id)


def _known(row: Any, endpoint_id: UUID) -> Endpoint:
    if row is None:
        raise EndpointUnknown(str(endpoint_id))
    return _endpoint(row)


def _endpoint(row: Any) -> Endpoint:
    return Endpoint(
        id=row.id,
        tenant_id=row.tenant_id,
        url=row.url,
        description=row.description,
        state=row.state,
        disabled_reason=row.disabled_reason,
        rotated_at=row.rotated_at,
        created_at=row.created_at,
    )
