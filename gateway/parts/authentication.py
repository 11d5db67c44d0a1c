"""Whose request it is: `Authorization: Bearer sk_live_...`, and nothing else.

A malformed key never reaches the database. A key that was found is remembered for
ten seconds, so a revoked one lives at most that much longer; one that was not found
is asked for again each time, but once for all who bring it at the same moment.
"""

import asyncio
import hmac
import time
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Final
from uuid import UUID

from fastapi import Request

from gateway.problems.answers import RequestRefused
from jobs.api_keys import ApiKey, parse_api_key
from jobs.store.tenant_store import StoredKey, find_key
from plumbing.database import Database

_FRESH_SECONDS: Final = 8.0
_KNOWN_SECONDS: Final = 10.0
_MAX_REMEMBERED: Final = 10_000
_SCHEME: Final = "bearer "


@dataclass(frozen=True, slots=True)
class Caller:
    tenant_id: UUID


@dataclass(frozen=True, slots=True)
class _Remembered:
    caller: Caller
    fresh_until: float
    known_until: float
    expires_at: datetime | None


class KeyRing:
    """Knows callers by their keys."""

    def __init__(self, database: Database, *, pepper: bytes) -> None:
        self._database = database
        self._pepper = pepper
        self._remembered: dict[bytes, _Remembered] = {}
        self._asked_for: dict[bytes, asyncio.Task[_Remembered]] = {}

    async def identify(self, authorization: str | None) -> Caller:
        """The caller, or `RequestRefused` without a hint at what was wrong."""
        key = _bearer_key(authorization)
        if key is None:
            raise RequestRefused("unauthorized")
        secret_hmac = key.hmac(self._pepper)
        known = self._remembered.get(secret_hmac)
        if known is None or known.fresh_until <= time.monotonic():
            known = await self._look_up_once(key, secret_hmac)
        if known.expires_at is not None and known.expires_at <= datetime.now(UTC):
            raise RequestRefused("unauthorized")
        return known.caller

    async def _look_up_once(self, key: ApiKey, secret_hmac: bytes) -> _Remembered:
        """A thousand who come at once would else take all connections for seconds."""
        asking = self._asked_for.get(secret_hmac)
        if asking is None:
            stale = self._remembered.get(secret_hmac)
            if stale is not None:
                # One request asks again, the others of this moment go on meanwhile.
                self._remembered[secret_hmac] = replace(
                    stale, fresh_until=stale.known_until
                )
            asking = asyncio.create_task(self._look_up(key, secret_hmac))
            self._asked_for[secret_hmac] = asking
            asking.add_done_callback(lambda done: self._forget(secret_hmac, done))
        return await asyncio.shield(asking)

    def _forget(self, secret_hmac: bytes, asked: asyncio.Task[_Remembered]) -> None:
        del self._asked_for[secret_hmac]
        if not asked.cancelled():
            asked.exception()  # read, though all who waited for it may have left

    async def _look_up(self, key: ApiKey, secret_hmac: bytes) -> _Remembered:
        asked_at = time.monotonic()
        async with self._database.statement() as tx:
            stored = await find_key(tx, key.id)
        if stored is None or not _fits(stored, secret_hmac):
            self._remembered.pop(secret_hmac, None)
            raise RequestRefused("unauthorized")
        if len(self._remembered) >= _MAX_REMEMBERED:
            self._remembered.clear()
        known = _Remembered(
            Caller(stored.tenant_id),
            asked_at + _FRESH_SECONDS,
            asked_at + _KNOWN_SECONDS,
            stored.expires_at,
        )
        self._remembered[secret_hmac] = known
        return known


async def authenticate(request: Request) -> Caller:
    """The dependency of every endpoint under /v1."""
    key_ring: KeyRing = request.app.state.gateway.key_ring
    return await key_ring.identify(request.headers.get("authorization"))


def _bearer_key(authorization: str | None) -> ApiKey | None:
    if authorization is None or authorization[: len(_SCHEME)].lower() != _SCHEME:
        return None
    return parse_api_key(authorization[len(_SCHEME) :].strip())


def _fits(stored: StoredKey, secret_hmac: bytes) -> bool:
    is_same = hmac.compare_digest(stored.secret_hmac, secret_hmac)
    return is_same and stored.revoked_at is None
