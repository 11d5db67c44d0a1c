"""Idempotency keys: who holds one, reserving one for a realtime call, letting it go.

The unique index decides races. A reservation is a lease: when the gateway that
made it dies, it lapses and the next call with the key takes it over.
"""

from dataclasses import dataclass
from datetime import timedelta
from typing import Final
from uuid import UUID

from sqlalchemy import text

from plumbing.database import Transaction


@dataclass(frozen=True, slots=True, kw_only=True)
class KeyHolder:
    job_id: UUID
    fingerprint: bytes
    outstanding: timedelta | None
    """How much longer the realtime call may take; None: the job is stored."""


_FIND: Final = """
SELECT job_id, fingerprint,
       CASE WHEN lease_until IS NOT NULL
            THEN greatest(lease_until - statement_timestamp(), interval '0') END
           AS outstanding
FROM idempotency_key
WHERE tenant_id = :tenant AND key = :key AND expires_at > statement_timestamp()
  AND (lease_until IS NULL OR lease_until > statement_timestamp())
"""

_RESERVE: Final = """
INSERT INTO idempotency_key AS k
    (tenant_id, key, fingerprint, job_id, lease_until, expires_at)
VALUES (:tenant, :key, :fingerprint, :job,
        statement_timestamp() + CAST(:lease AS interval),
        statement_timestamp() + CAST(:lease AS interval))
ON CONFLICT (tenant_id, key) DO UPDATE
SET fingerprint = excluded.fingerprint, job_id = excluded.job_id,
    lease_until = excluded.lease_until, expires_at = excluded.expires_at
WHERE k.expires_at <= statement_timestamp()
   OR k.lease_until <= statement_timestamp()
RETURNING job_id
"""

_RELEASE: Final = """
DELETE FROM idempotency_key
WHERE tenant_id = :tenant AND key = :key AND job_id = :job AND lease_until IS NOT NULL
"""

_CLEAR_LAPSED: Final = """
DELETE FROM idempotency_key
WHERE tenant_id = :tenant AND key = :key
  AND (expires_at <= statement_timestamp() OR lease_until <= statement_timestamp())
"""


async def find_key_holder(
    tx: Transaction, tenant_id: UUID, key: str
) -> KeyHolder | None:
    """Who holds the key now; a lapsed reservation or an old key is nobody."""
    row = (await tx.execute(text(_FIND), {"tenant": tenant_id, "key": key})).first()
    if row is None:
        return None
    return KeyHolder(
        job_id=row.job_id, fingerprint=row.fingerprint, outstanding=row.outstanding
    )


async def reserve_key(
    tx: Transaction,
    tenant_id: UUID,
    key: str,
    *,
    fingerprint: bytes,
    job_id: UUID,
    lease: timedelta,
) -> bool:
    """Take the key for a realtime call; False: somebody holds it."""
    found = await tx.execute(
        text(_RESERVE),
        {
            "tenant": tenant_id,
            "key": key,
            "fingerprint": fingerprint,
            "job": job_id,
            "lease": lease,
        },
    )
    return found.first() is not None


async def release_key(tx: Transaction, tenant_id: UUID, key: str, job_id: UUID) -> None:
    """Give a reservation back: the realtime call was refused, nothing is stored."""
    await tx.execute(text(_RELEASE), {"tenant": tenant_id, "key": key, "job": job_id})


async def clear_lapsed_key(tx: Transaction, tenant_id: UUID, key: str) -> None:
    """Make room for a submission where an old key or lapsed reservation stands."""
    await tx.execute(text(_CLEAR_LAPSED), {"tenant": tenant_id, "key": key})


MOST_FORGOTTEN: Final = 1000

_FORGET: Final = f"""
DELETE FROM idempotency_key
WHERE (tenant_id, key) IN (
    SELECT tenant_id, key FROM idempotency_key
    WHERE expires_at <= statement_timestamp() LIMIT {MOST_FORGOTTEN} FOR UPDATE SKIP LOCKED)
"""


async def forget_old_keys(tx: Transaction) -> int:
    """Delete up to 1,000 keys whose time is over; gives how many."""
    return (await tx.execute(text(_FORGET))).rowcount
