"""HTTP/1.1 on a bare socket: callers who leave when no library would, and cheap ones.

It makes the bytes of a request and reads one answer at a time. Who is asked, and what
is done after a refusal, is the `balancer`'s or the test's.
"""

import asyncio
import json
import time
from dataclasses import dataclass
from typing import Any, Final, Self

from tests.builders import TenantForTests

PATH: Final = "/v1/summaries"


class CutOff(Exception):
    """The connection was made, and ended before a whole answer came."""


@dataclass(frozen=True, kw_only=True)
class Answer:
    status: int
    headers: dict[str, str]
    """Names in small letters."""
    body: bytes
    seconds: float

    @property
    def document(self) -> dict[str, Any]:
        read: dict[str, Any] = json.loads(self.body)
        return read

    @property
    def asks_to_repeat(self) -> bool:
        """As every refusal does that is worth a repeat: by header and in words."""
        return "retry-after" in self.headers and bool(self.document["retryable"])


def a_post(tenant: TenantForTests, body: dict[str, Any], **headers: str) -> bytes:
    """A request for a summary; `Idempotency_Key="…"` is a header."""
    content = json.dumps(body).encode()
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return _head(
        "POST", PATH, tenant, {"Content-Length": str(len(content))} | named
    ) + (content)


def a_get(tenant: TenantForTests, path: str) -> bytes:
    return _head("GET", path, tenant, {})


def _head(
    method: str, path: str, tenant: TenantForTests, headers: dict[str, str]
) -> bytes:
    said = {
        "Host": "precis.test",
        "Authorization": f"Bearer {tenant.api_key}",
        "Content-Type": "application/json",
    } | headers
    lines = [f"{method} {path} HTTP/1.1", *(f"{k}: {v}" for k, v in said.items())]
    return "\r\n".join([*lines, "", ""]).encode()


class Line:
    """One connection to a gateway; it may be asked again and again."""

    def __init__(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        self._reader = reader
        self._writer = writer

    @classmethod
    async def open(cls, port: int) -> Self:
        """Raises a ConnectionError where nobody listens, or no longer."""
        return cls(*await asyncio.open_connection("127.0.0.1", port))

    async def ask(self, request: bytes) -> Answer:
        began = time.monotonic()
        try:
            self.send(request)
            status, headers = _read_head(await self._reader.readuntil(b"\r\n\r\n"))
            length = int(headers.get("content-length", "0"))
            body = await self._reader.readexactly(length)
        except (OSError, EOFError) as error:
            raise CutOff from error
        seconds = time.monotonic() - began
        return Answer(status=status, headers=headers, body=body, seconds=seconds)

    def send(self, piece: bytes) -> None:
        self._writer.write(piece)

    @property
    def has_ended(self) -> bool:
        return self._reader.at_eof()

    def leave(self) -> None:
        """At once, whatever is under way."""
        self._writer.transport.abort()


class Lines:
    """Connections to one gateway that are kept for the next request."""

    def __init__(self, port: int) -> None:
        self._port = port
        self._idle: list[Line] = []

    async def ask(self, request: bytes) -> Answer:
        line = self._take_idle() or await Line.open(self._port)
        try:
            answer = await line.ask(request)
        except BaseException:
            line.leave()
            raise
        self._idle.append(line)
        return answer

    def leave(self) -> None:
        while self._idle:
            self._idle.pop().leave()

    def _take_idle(self) -> Line | None:
        """The one used last; a gateway closes what rests for long."""
        while self._idle:
            line = self._idle.pop()
            if not line.has_ended:
                return line
            line.leave()
        return None


async def ask_once(port: int, request: bytes) -> Answer:
    """Over a connection of its own."""
    line = await Line.open(port)
    try:
        return await line.ask(request)
    finally:
        line.leave()


async def ask_and_leave(
    port: int, request: bytes, *, after: float, share: float = 1.0
) -> None:
    """Send the request, or a first part of it, and hang up `after` so many seconds."""
    line = await Line.open(port)
    line.send(request[: round(len(request) * share)])
    await asyncio.sleep(after)
    line.leave()


def _read_head(head: bytes) -> tuple[int, dict[str, str]]:
    first, *lines = head.decode("latin-1").rstrip().split("\r\n")
    pairs = (line.partition(": ") for line in lines)
    return int(first.split(" ")[1]), {name.lower(): value for name, _, value in pairs}
