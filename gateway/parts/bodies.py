"""Request bodies: how they may come, how large, and how much of them in memory at once.

Refused by their headers they are not read at all, and the connection is closed rather
than emptied. Two things are bounded, each with a share that one tenant cannot exceed:
the bytes of all bodies, and the turns in which large ones, held several times over, are
parsed and sealed. A turn begins when the body is there, so who sends slowly holds
nothing but his own tenant's bytes.
"""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import timedelta
from typing import Final
from uuid import UUID

from fastapi import Request
from starlette.requests import ClientDisconnect

from gateway.parts.shares import NoRoom, Shares
from gateway.problems.answers import RequestRefused

_LARGE_BYTES: Final = 262_144
_MAX_LARGE_AT_ONCE: Final = 4
_SHARE_OF_TURNS: Final = 2
_SHARE_OF_BYTES: Final = 4
"""A tenant's bodies may take this part of the memory for all."""
_LONGEST_READ: Final = timedelta(seconds=30)
_LONGEST_WAIT: Final = timedelta(seconds=10)
_CLOSE: Final = {"Connection": "close"}
_UTF_8: Final = frozenset({"utf-8", "utf8"})


class BodyReader:
    def __init__(self, *, max_bytes: int, all_bytes: int) -> None:
        self._max_bytes = max_bytes
        share = max(max_bytes, all_bytes // _SHARE_OF_BYTES)
        self._bytes = Shares(max(share, all_bytes), share=share)
        self._turns = Shares(_MAX_LARGE_AT_ONCE, share=_SHARE_OF_TURNS)

    @asynccontextmanager
    async def reading(
        self, request: Request, *, tenant_id: UUID
    ) -> AsyncIterator[bytes]:
        """The body; a large one keeps its turn until the block is left."""
        _check_type(request)
        announced = _announced_length(request)
        if announced is not None and announced > self._max_bytes:
            raise self._too_large()
        held = _Held(self._bytes, tenant_id)
        try:
            if announced is not None and announced > _LARGE_BYTES:
                await held.wait_for(announced)
            raw = await self._read(request, held)
            if len(raw) <= _LARGE_BYTES:
                yield raw
                return
            await _turn(self._turns, tenant_id)
            with self._turns.lending(tenant_id, 1):
                yield raw
        finally:
            held.keep(0)

    async def _read(self, request: Request, held: "_Held") -> bytes:
        try:
            async with asyncio.timeout(_LONGEST_READ.total_seconds()):
                raw = await self._gather(request, held)
        except TimeoutError:
            # Memory must not be held by whoever sends a byte at a time.
            raise RequestRefused("body_too_slow", headers=_CLOSE) from None
        held.keep(len(raw))
        return raw

    async def _gather(self, request: Request, held: "_Held") -> bytes:
        pieces: list[bytes] = []
        size = 0
        while True:
            message = await request.receive()
            if message["type"] == "http.disconnect":
                raise ClientDisconnect
            piece: bytes = message.get("body", b"")
            size += len(piece)
            if size > self._max_bytes:
                raise self._too_large()
            await self._make_room(size, held)
            pieces.append(piece)
            if not message.get("more_body", False):
                return pieces[0] if len(pieces) == 1 else b"".join(pieces)

    async def _make_room(self, size: int, held: "_Held") -> None:
        """Count what has come; without an announced length, all that may yet come."""
        if size <= held.amount:
            return
        if size <= _LARGE_BYTES:
            held.grow(size)
        else:
            await held.wait_for(self._max_bytes)

    def _too_large(self) -> RequestRefused:
        figures = {"limit": self._max_bytes}
        return RequestRefused("body_too_large", headers=_CLOSE, figures=figures)


class _Held:
    """The bytes that one request holds, or may come to hold."""

    def __init__(self, shares: Shares, tenant_id: UUID) -> None:
        self._shares = shares
        self._tenant_id = tenant_id
        self.amount = 0

    def grow(self, amount: int) -> None:
        """Small bodies do not wait: their bytes have come already."""
        if not self._shares.try_take(self._tenant_id, amount - self.amount):
            raise _no_room()
        self.amount = amount

    async def wait_for(self, amount: int) -> None:
        more = amount - self.amount
        try:
            await self._shares.take(self._tenant_id, more, within=_LONGEST_WAIT)
        except NoRoom:
            raise _no_room() from None
        self.amount = amount

    def keep(self, amount: int) -> None:
        """Give back all but this."""
        if amount < self.amount:
            self._shares.give_back(self._tenant_id, self.amount - amount)
            self.amount = amount


async def _turn(turns: Shares, tenant_id: UUID) -> None:
    try:
        await turns.take(tenant_id, 1, within=_LONGEST_READ)
    except NoRoom:
        raise _no_room() from None


def _no_room() -> RequestRefused:
    return RequestRefused("temporary_reduced_capacity", headers=_CLOSE)


def _check_type(request: Request) -> None:
    encoding = request.headers.get("content-encoding", "identity")
    if encoding.strip().lower() != "identity":
        raise RequestRefused("unsupported_encoding", headers=_CLOSE)
    media_type, _, parameters = request.headers.get("content-type", "").partition(";")
    if media_type.strip().lower() != "application/json" or not _is_utf_8(parameters):
        raise RequestRefused("unsupported_media_type", headers=_CLOSE)


def _is_utf_8(parameters: str) -> bool:
    for parameter in parameters.split(";"):
        name, _, value = parameter.partition("=")
        if name.strip().lower() == "charset":
            return value.strip().strip('"').lower() in _UTF_8
    return True


def _announced_length(request: Request) -> int | None:
    shown = request.headers.get("content-length", "")
    return int(shown) if shown.isascii() and shown.isdigit() else None
