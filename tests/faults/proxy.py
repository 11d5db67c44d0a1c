"""A TCP relay for tests that does to a connection what networks and machines do.

Put it between a process and a server. Each way of a connection has its own fault, so
that `answers = Flow.LOSE` is a COMMIT whose answer is lost, `HOLD` on both a machine
that stands still, `LOSE` on both a cable that was pulled. Knows no protocol.
"""

import asyncio
import os
import socket
import struct
from contextlib import suppress
from enum import Enum
from typing import Final, Self

from sqlalchemy.engine import make_url

_PIECE_BYTES: Final = 65_536
_PIECES_UNDER_WAY: Final = 64
_RESET_ON_CLOSE: Final = struct.pack("ii", 1, 0)


class Flow(Enum):
    """What becomes of the bytes of one direction."""

    PASS = "pass"
    HOLD = "hold"
    """Kept, with the end of the stream, until the flow changes."""
    LOSE = "lose"
    """Lost; the connection stays open and silent for good, since the rest of a
    stream with a hole in it would be garbage."""
    GARBLE = "garble"
    """As many bytes, but random ones."""


class Proxy:
    """Relays 127.0.0.1:`port` to a server; `async with` opens and ends it."""

    def __init__(self, host: str, port: int) -> None:
        self._target = (host, port)
        self._lines: set[_Line] = set()
        self._server: asyncio.Server | None = None
        self._claim: socket.socket | None = None
        self.port = 0
        self.requests = Flow.PASS
        self.answers = Flow.PASS
        self.latency = 0.0
        """Seconds that each piece is under way, in each direction."""

    @classmethod
    def before(cls, url: str) -> Self:
        """A proxy to the server of an address, whatever its scheme."""
        target = make_url(url)
        return cls(target.host or "127.0.0.1", target.port or 0)

    def url(self, url: str) -> str:
        """The same address, by way of the proxy."""
        through = make_url(url).set(host="127.0.0.1", port=self.port)
        return through.render_as_string(hide_password=False)

    async def __aenter__(self) -> Self:
        self._claim = _claim_port()
        self.port = self._claim.getsockname()[1]
        await self.accept()
        return self

    async def __aexit__(self, *_error: object) -> None:
        await self.refuse()
        assert self._claim is not None
        self._claim.close()

    @property
    def connections(self) -> int:
        return len(self._lines)

    def fault(self, flow: Flow) -> None:
        """The same in both directions."""
        self.requests = self.answers = flow

    def heal(self) -> None:
        self.fault(Flow.PASS)
        self.latency = 0.0

    async def accept(self) -> None:
        """Take connections, on the same port after a `refuse`."""
        if self._server is not None:
            return
        self._server = await asyncio.start_server(
            self._relay, "127.0.0.1", self.port, reuse_port=True
        )

    async def refuse(self) -> None:
        """End all connections and refuse new ones, as a server that is down."""
        if self._server is not None:
            self._server.close()
            self._server = None
        await self.reset()

    async def reset(self) -> None:
        """End the connections there are by RST; new ones are taken."""
        lines = list(self._lines)
        for line in lines:
            line.task.cancel()
        await asyncio.gather(*(line.task for line in lines), return_exceptions=True)

    async def _relay(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        line = _Line(self, reader, writer)
        self._lines.add(line)
        try:
            with suppress(OSError, asyncio.CancelledError):
                await line.relay(*self._target)
        finally:
            self._lines.discard(line)


class _Line:
    """One connection: the client's end, the server's end, and a way for each."""

    def __init__(
        self, proxy: Proxy, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        task = asyncio.current_task()
        assert task is not None
        self.task = task
        self._proxy = proxy
        self._near = (reader, writer)

    async def relay(self, host: str, port: int) -> None:
        """Until either end closes; a cancellation resets both."""
        writers = [self._near[1]]
        try:
            far = await asyncio.open_connection(host, port)
            writers.append(far[1])
            await self._both_ways(far)
        except (asyncio.CancelledError, OSError):
            for writer in writers:
                _close_by_reset(writer)
            raise
        finally:
            for writer in writers:
                writer.close()

    async def _both_ways(
        self, far: tuple[asyncio.StreamReader, asyncio.StreamWriter]
    ) -> None:
        ways = [
            asyncio.create_task(self._way(self._near[0], far[1], "requests")),
            asyncio.create_task(self._way(far[0], self._near[1], "answers")),
        ]
        try:
            await asyncio.wait(ways, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for way in ways:
                way.cancel()
            await asyncio.gather(*ways, return_exceptions=True)

    async def _way(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, name: str
    ) -> None:
        pieces: asyncio.Queue[tuple[float, bytes]] = asyncio.Queue(_PIECES_UNDER_WAY)
        reading = asyncio.create_task(self._read(reader, pieces))
        try:
            await self._write(writer, pieces, name)
        finally:
            reading.cancel()

    async def _read(
        self, reader: asyncio.StreamReader, pieces: asyncio.Queue[tuple[float, bytes]]
    ) -> None:
        piece = b"."
        while piece:
            try:
                piece = await reader.read(_PIECE_BYTES)
            except OSError:
                piece = b""
            now = asyncio.get_running_loop().time()
            await pieces.put((now + self._proxy.latency, piece))

    async def _write(
        self,
        writer: asyncio.StreamWriter,
        pieces: asyncio.Queue[tuple[float, bytes]],
        name: str,
    ) -> None:
        is_lost = False
        while True:
            due, piece = await pieces.get()
            await asyncio.sleep(due - asyncio.get_running_loop().time())
            while self._flow(name) is Flow.HOLD:  # noqa: ASYNC110 - any test may set it
                await asyncio.sleep(0.005)
            is_lost = is_lost or self._flow(name) is Flow.LOSE
            if is_lost:
                continue
            if not piece:
                return
            is_garbled = self._flow(name) is Flow.GARBLE
            writer.write(os.urandom(len(piece)) if is_garbled else piece)
            await writer.drain()

    def _flow(self, name: str) -> Flow:
        flow: Flow = getattr(self._proxy, name)
        return flow


def _claim_port() -> socket.socket:
    """A port that stays ours while nobody listens on it.

    Free, it would be given to the next connection that somebody opens, and the proxy
    could never take it back.
    """
    claim = socket.socket()
    claim.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
    claim.bind(("127.0.0.1", 0))
    return claim


def _close_by_reset(writer: asyncio.StreamWriter) -> None:
    line: socket.socket | None = writer.get_extra_info("socket")
    if line is not None:
        with suppress(OSError):
            line.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET_ON_CLOSE)
    writer.transport.abort()
