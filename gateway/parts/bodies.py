"""Request bodies: how they may come, how large, and how many large ones at a time.

Refused by their headers they are not read at all, and the connection is closed rather
than emptied. Large bodies take turns, because each is held several times over while
it is parsed and sealed: so memory is bounded by the turns, not by the callers.
"""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import timedelta
from typing import Final

from fastapi import Request
from starlette.requests import ClientDisconnect

from gateway.problems.answers import RequestRefused

_LARGE_BYTES: Final = 262_144
_MAX_LARGE_AT_ONCE: Final = 4
_LONGEST_READ: Final = timedelta(seconds=30)
_CLOSE: Final = {"Connection": "close"}
_UTF_8: Final = frozenset({"utf-8", "utf8"})


class BodyReader:
    def __init__(self, *, max_bytes: int) -> None:
        self._max_bytes = max_bytes
        self._turns = asyncio.Semaphore(_MAX_LARGE_AT_ONCE)

    @asynccontextmanager
    async def reading(self, request: Request) -> AsyncIterator[bytes]:
        """The body; a large one keeps its turn until the block is left."""
        _check_type(request)
        announced = _announced_length(request)
        if announced is not None and announced > self._max_bytes:
            raise self._too_large()
        if announced is not None and announced <= _LARGE_BYTES:
            yield await self._read(request)
            return
        async with self._turns:
            yield await self._read(request)

    async def _read(self, request: Request) -> bytes:
        try:
            async with asyncio.timeout(_LONGEST_READ.total_seconds()):
                return await self._gather(request)
        except TimeoutError:
            # A turn must not be held by whoever sends a byte at a time.
            raise RequestRefused("body_too_slow", headers=_CLOSE) from None

    async def _gather(self, request: Request) -> bytes:
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
            pieces.append(piece)
            if not message.get("more_body", False):
                return pieces[0] if len(pieces) == 1 else b"".join(pieces)

    def _too_large(self) -> RequestRefused:
        figures = {"limit": self._max_bytes}
        return RequestRefused("body_too_large", headers=_CLOSE, figures=figures)


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
