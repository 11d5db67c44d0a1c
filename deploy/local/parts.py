"""What the supervisor needs to know about one process, and how to ask if it is ready.

A part is data: the command, how to stop it, how to see that it serves. The questions
are asked over the ports that users of the part will use.
"""

import asyncio
import signal
from collections.abc import Awaitable, Callable
from contextlib import suppress
from dataclasses import dataclass
from datetime import timedelta
from typing import Protocol

from deploy.local.commands import Command

HOST = "127.0.0.1"
_ANSWER_WITHIN = timedelta(seconds=2)
IsReady = Callable[[], Awaitable[bool]]


@dataclass(frozen=True, kw_only=True)
class Part:
    name: str
    command: Command
    is_ready: IsReady
    ready_within: timedelta = timedelta(seconds=60)
    stop_signal: int = signal.SIGTERM
    stop_within: timedelta = timedelta(seconds=20)


class Server(Protocol):
    """What each launcher offers: make the server's folder, tell how to run it."""

    async def prepare(self) -> Part: ...


async def exchange(port: int, request: bytes, *, answer_bytes: int = 64) -> bytes:
    """Send a request to a local port; an empty answer means that nobody serves it."""
    with suppress(OSError, TimeoutError):
        async with asyncio.timeout(_ANSWER_WITHIN.total_seconds()):
            reader, writer = await asyncio.open_connection(HOST, port)
            try:
                writer.write(request)
                return await reader.read(answer_bytes)
            finally:
                writer.close()
    return b""


def http_ready(port: int, path: str) -> IsReady:
    request = f"GET {path} HTTP/1.1\r\nHost: {HOST}\r\nConnection: close\r\n\r\n"

    async def is_ready() -> bool:
        status_line = await exchange(port, request.encode("ascii"))
        return status_line.startswith(b"HTTP/1.") and b" 200 " in status_line

    return is_ready


def greeting_ready(
    port: int, request: bytes, *, greetings: tuple[bytes, ...]
) -> IsReady:
    async def is_ready() -> bool:
        return (await exchange(port, request)).startswith(greetings)

    return is_ready


def port_ready(port: int) -> IsReady:
    async def is_ready() -> bool:
        with suppress(OSError):
            _, writer = await asyncio.open_connection(HOST, port)
            writer.close()
            return True
        return False

    return is_ready
