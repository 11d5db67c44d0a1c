"""Tenants and their API keys. At most two keys of a tenant live at a time."""

from dataclasses import dataclass
from datetime import datetime
from typing import Final
from uuid import UUID

from sqlalchemy import text

from plumbing.database import Transaction


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredKey:
    id: str
    tenant_id: UUID
    name: str
    secret_hmac: bytes
    created_at: datetime
    expires_at: datetime | None
    revoked_at: datetime | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Tenant:
    id: UUID
    name: str
    owner_email: str
    weight: float
    created_at: datetime


class TooManyKeys(Exception):
    """The tenant has two live keys; revoke one first."""


_CREATE: Final = """
WITH t AS (
    INSERT INTO tenant (id, name, owner_email, weight, webhook_secret)
    VALUES (:id, :name, :owner_email, :weight, :webhook_secret) RETURNING id
)
INSERT INTO lane (tenant_id) SELECT id FROM t
"""


async def create_tenant(
    tx: Transaction,
    tenant_id: UUID,
    *,
    name: str,
    owner_email: str,
    weight: float,
    webhook_secret: bytes,
) -> None:
    """Insert the tenant and its lane; the secret comes sealed by the master key."""
    await tx.execute(
        text(_CREATE),
        {
            "id": tenant_id,
            "name": name,
            "owner_email": owner_email,
            "weight": weight,
            "webhook_secret": webhook_secret,
        },
    )


_TENANT_COLUMNS: Final = "id, name, owner_email, weight, created_at"


async def list_tenants(tx: Transaction) -> list[Tenant]:
    rows = await tx.execute(text(f"SELECT {_TENANT_COLUMNS} FROM tenant ORDER BY name"))
    return [Tenant(**row._mapping) for row in rows]  # noqa: SLF001 - SQLAlchemy's public name


async def find_tenant(tx: Transaction, name: str) -> Tenant | None:
    found = await tx.execute(
        text(f"SELECT {_TENANT_COLUMNS} FROM tenant WHERE name = :name"),
        {"name": name},
    )
    row = found.first()
    return Tenant(**row._mapping) if row else None  # noqa: SLF001


@dataclass(frozen=True, slots=True, kw_only=True)
class SealedSecrets:
    """Webhook signing secrets: the current one, and the previous while it overlaps."""

    current: bytes
    previous: bytes | None


_SECRETS: Final = """
SELECT webhook_secret AS current,
       CASE WHEN webhook_secret_rotated_at > statement_timestamp() - interval '24 hours'
            THEN webhook_secret_previous END AS previous
FROM tenant WHERE id = :id
"""


async def get_webhook_secrets(tx: Transaction, tenant_id: UUID) -> SealedSecrets:
    row = (await tx.execute(text(_SECRETS), {"id": tenant_id})).one()
    return SealedSecrets(current=row.current, previous=row.previous)


_ROTATE: Final = """
UPDATE tenant SET webhook_secret_previous = webhook_secret, webhook_secret = :sealed,
    webhook_secret_rotated_at = statement_timestamp()
WHERE id = :id
"""


async def rotate_webhook_secret(
    tx: Transaction, tenant_id: UUID, *, sealed: bytes
) -> None:
    """Put a new secret in place; the old one goes on signing for 24 hours."""
    await tx.execute(text(_ROTATE), {"id": tenant_id, "sealed": sealed})


_LIVE: Final = """
SELECT count(*) FROM api_key
WHERE tenant_id = :tenant AND revoked_at IS NULL
  AND (expires_at IS NULL OR expires_at > statement_timestamp())
"""
_CREATE_KEY: Final = """
INSERT INTO api_key (id, tenant_id, name, secret_hmac, expires_at)
VALUES (:id, :tenant, :name, :secret_hmac, :expires_at)
"""
MAX_LIVE_KEYS: Final = 2


async def create_key(
    tx: Transaction,
    key_id: str,
    *,
    tenant_id: UUID,
    name: str,
    secret_hmac: bytes,
    expires_at: datetime | None,
) -> None:
    """Insert a key, or raise `TooManyKeys`."""
    lock = text("SELECT 1 FROM tenant WHERE id = :tenant FOR NO KEY UPDATE")
    await tx.execute(lock, {"tenant": tenant_id})
    if (await tx.scalar(text(_LIVE), {"tenant": tenant_id})) >= MAX_LIVE_KEYS:
        raise TooManyKeys(str(tenant_id))
    await tx.execute(
        text(_CREATE_KEY),
        {
            "id": key_id,
            "tenant": tenant_id,
            "name": name,
            "secret_hmac": secret_hmac,
            "expires_at": expires_at,
        },
    )


_KEY_COLUMNS: Final = (
    "id, tenant_id, name, secret_hmac, created_at, expires_at, revoked_at"
)


async def find_key(tx: Transaction, key_id: str) -> StoredKey | None:
    """The stored key, live or not; the caller compares the HMAC and the times."""
    found = await tx.execute(
        text(f"SELECT {_KEY_COLUMNS} FROM api_key WHERE id = :id"),
        {"id": key_id},
    )
    row = found.first()
    return StoredKey(**row._mapping) if row else None  # noqa: SLF001


async def list_keys(tx: Transaction, tenant_id: UUID) -> list[StoredKey]:
    rows = await tx.execute(
        text(
            f"SELECT {_KEY_COLUMNS} FROM api_key"
            " WHERE tenant_id = :tenant ORDER BY created_at"
        ),
        {"tenant": tenant_id},
    )
    return [StoredKey(**row._mapping) for row in rows]  # noqa: SLF001


async def revoke_key(tx: Transaction, key_id: str) -> bool:
    """End a key now; False: there is no such live key."""
    statement = text(
        "UPDATE api_key SET revoked_at = statement_timestamp()"
        " WHERE id = :id AND revoked_at IS NULL"
    )
    return (await tx.execute(statement, {"id": key_id})).rowcount == 1
