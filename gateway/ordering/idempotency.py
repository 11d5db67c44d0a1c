"""`Idempotency-Key`: reading it, telling a repeat from a reuse, finding the first job.

The unique index in Postgres decides races; this side only asks who won. The
fingerprint is keyed, since a bare hash would let guesses about an erased text be
confirmed.
"""

import hmac
import json
import re
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, Final
from uuid import UUID

from gateway.problems.answers import RequestRefused
from jobs.errors import KeyOutstanding, KeyReused
from jobs.operations.idempotency import find_key_holder
from plumbing.database import Database

_QUOTED: Final = re.compile(r'"((?:[\x20\x21\x23-\x5b\x5d-\x7e]|\\["\\])*)"')
_ALLOWED: Final = re.compile(r"[\x20-\x7e]{1,255}")
_PURPOSE: Final = b"idempotency-fingerprint"
_SOON: Final = timedelta(seconds=1)


@dataclass(frozen=True, slots=True)
class Key:
    """The caller's key with what it was first used for."""

    value: str
    fingerprint: bytes


def read_key(header: str | None, document: Any, *, pepper: bytes) -> Key | None:
    """The key of this request; quoted as the draft says, or bare as SDKs send it."""
    if header is None:
        return None
    value = header.strip()
    if value.startswith('"'):
        quoted = _QUOTED.fullmatch(value)
        value = re.sub(r"\\(.)", r"\1", quoted[1]) if quoted else ""
    if not _ALLOWED.fullmatch(value):
        raise RequestRefused("idempotency_key_invalid")
    return Key(value, _fingerprint(document, pepper))


def _fingerprint(document: Any, pepper: bytes) -> bytes:
    """The same for the same JSON, however its members were ordered or spaced."""
    derived = hmac.digest(pepper, _PURPOSE, "sha256")
    canonical = json.dumps(document, sort_keys=True, separators=(",", ":"))
    return hmac.digest(derived, canonical.encode(), "sha256")


async def find_first_job(database: Database, tenant_id: UUID, key: Key) -> UUID | None:
    """The job that the key stands for; None: nobody holds the key.

    Raises `KeyReused` for another body, `KeyOutstanding` while a realtime call lasts.
    """
    async with database.statement() as tx:
        holder = await find_key_holder(tx, tenant_id, key.value)
    if holder is None:
        return None
    if not hmac.compare_digest(holder.fingerprint, key.fingerprint):
        raise KeyReused(str(holder.job_id))
    if holder.outstanding is not None:
        raise KeyOutstanding(retry_after=holder.outstanding)
    return holder.job_id


async def get_first_job(database: Database, tenant_id: UUID, key: Key) -> UUID:
    """The job of a key that has just been found taken."""
    job_id = await find_first_job(database, tenant_id, key)
    if job_id is None:  # it lapsed in between; the next call will take it
        raise KeyOutstanding(retry_after=_SOON)
    return job_id
