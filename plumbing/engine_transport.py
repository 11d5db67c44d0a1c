"""HTTP/1.1 to one engine, by hand: kept connections, one exchange on each at a time.

Every request of both tiers passes here, so it is a bare protocol around httptools (the
parser of uvicorn): an HTTP client costs several times the call itself. A caller that
is cancelled closes its connection at once, since that alone tells an engine to drop
the work. What is asked and what an answer means is the engine client's matter.
"""

import asyncio
import base64
import ssl
from collections.abc import Mapping
from datetime import timedelta
from http import HTTPStatus
from typing import Final, NamedTuple, cast
from urllib.parse import SplitResult, unquote, urlsplit

import httptools

from plumbing.engine_errors import EngineGarbled, EngineUnavailable

# Below what servers keep (uvicorn 5 s): a reused connection must not be a closed one.
_LONGEST_IDLE: Final = timedelta(seconds=4)
_MAX_BYTES: Final = 16 * 1024 * 1024
_PORTS: Final = {"http": 80, "https": 443}


class EngineResponse(NamedTuple):
    """Header names are in small letters; of a repeated header the last one counts."""

    status: int
    headers: Mapping[str, str]
    content: bytes


class EngineTransport:
    """Keeps connections open; follows no redirect, asks no proxy, decompresses nothing.

    Engines are next door. How many calls are in flight is counted by the pool.
    """

    def __init__(
        self, url: str, *, headers: Mapping[str, str], connect_timeout: timedelta
    ) -> None:
        parts = urlsplit(url)
        if parts.scheme not in _PORTS or not parts.hostname:
            raise ValueError("the address of an engine is http://HOST[:PORT]")
        self._host = parts.hostname
        self._port = parts.port or _PORTS[parts.scheme]
        self._path = parts.path.rstrip("/")
        self._is_secure = parts.scheme == "https"
        self._tls: ssl.SSLContext | None = None
        self._head = _head({"Host": _authority(parts), **_login(parts), **headers})
        self._connect_seconds = connect_timeout.total_seconds()
        self._idle: list[_Connection] = []
        self._is_closed = False

    async def exchange(
        self,
        method: str,
        path: str,
        body: bytes,
        *,
        within: timedelta,
        request_id: str | None = None,
    ) -> EngineResponse:
        """One request and its whole answer, to the last byte within the time.

        Raises EngineUnavailable, EngineGarbled, TimeoutError.
        """
        ends = asyncio.get_running_loop().time() + within.total_seconds()
        named = "" if request_id is None else f"X-Request-Id: {request_id}\r\n"
        first = f"{method} {self._path}{path} HTTP/1.1\r\n{named}"
        message = b"%b%bContent-Length: %d\r\n\r\n%b" % (
            first.encode("ascii"),
            self._head,
            len(body),
            body,
        )
        connection = self._take_idle() or await self._connect()
        response = await connection.exchange(message, ends=ends)
        if self._is_closed:
            connection.close()
        elif connection.is_reusable:
            connection.idle_since = asyncio.get_running_loop().time()
            self._idle.append(connection)
        return response

    def close(self) -> None:
        """Close what is idle now, and what is in use after its exchange."""
        self._is_closed = True
        while self._idle:
            self._idle.pop().close()

    def _take_idle(self) -> "_Connection | None":
        """The one used last: it is the likeliest to live, and the others may age."""
        oldest = asyncio.get_running_loop().time() - _LONGEST_IDLE.total_seconds()
        while self._idle:
            connection = self._idle.pop()
            if connection.is_reusable and connection.idle_since > oldest:
                return connection
            connection.close()
        return None

    async def _connect(self) -> "_Connection":
        try:
            async with asyncio.timeout(self._connect_seconds):
                _, connection = await asyncio.get_running_loop().create_connection(
                    _Connection, self._host, self._port, ssl=self._get_tls()
                )
        except (OSError, TimeoutError) as error:  # TLS and DNS faults are OSErrors
            raise EngineUnavailable("no connection", was_reached=False) from error
        return connection

    def _get_tls(self) -> ssl.SSLContext | None:
        if self._is_secure and self._tls is None:
            self._tls = ssl.create_default_context()
        return self._tls


class _Connection(asyncio.Protocol):
    """One connection; httptools calls the `on_` methods."""

    def __init__(self) -> None:
        self._transport: asyncio.Transport
        self._parser = httptools.HttpResponseParser(self)
        self._answer: asyncio.Future[EngineResponse] | None = None
        self.is_reusable = True
        self.idle_since = 0.0
        self._forget()

    async def exchange(self, message: bytes, *, ends: float) -> EngineResponse:
        loop = asyncio.get_running_loop()
        self._answer = loop.create_future()
        too_late = loop.call_at(ends, self._fail, TimeoutError())
        self._transport.write(message)
        try:
            return await self._answer
        except BaseException:
            # Above all a cancellation: the engine learns by this that nobody waits.
            self.close()
            raise
        finally:
            too_late.cancel()

    def close(self) -> None:
        self.is_reusable = False
        self._transport.abort()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        # uvloop's transports are none of asyncio's classes, only like them.
        self._transport = cast("asyncio.Transport", transport)

    def data_received(self, data: bytes) -> None:
        try:
            self._parser.feed_data(data)
        except httptools.HttpParserError:
            self._fail(EngineGarbled("an answer that is not HTTP"))

    def connection_lost(self, error: Exception | None) -> None:
        self.is_reusable = False
        if self._ends_with_connection and error is None:
            self.on_message_complete()
        self._fail(EngineUnavailable("connection lost"))

    def on_header(self, name: bytes, value: bytes) -> None:
        self._headers[name.decode("latin-1").lower()] = value.decode("latin-1")

    def on_headers_complete(self) -> None:
        self._ends_with_connection = not (
            "content-length" in self._headers or "transfer-encoding" in self._headers
        )

    def on_body(self, piece: bytes) -> None:
        self._pieces.append(piece)
        self._size += len(piece)
        if self._size > _MAX_BYTES:
            self._fail(EngineGarbled("an answer without an end"))

    def on_message_complete(self) -> None:
        status, answer = self._parser.get_status_code(), self._answer
        if status < HTTPStatus.OK:  # "continue" and the like come before the answer
            self._forget()
            return
        response = EngineResponse(status, self._headers, b"".join(self._pieces))
        if answer is None or answer.done():
            self.close()  # it says more than it was asked
            return
        if not self._parser.should_keep_alive():
            self.close()
        self._forget()
        answer.set_result(response)

    def _forget(self) -> None:
        self._headers: dict[str, str] = {}
        self._pieces: list[bytes] = []
        self._size = 0
        self._ends_with_connection = False

    def _fail(self, error: Exception) -> None:
        if self._answer is not None and not self._answer.done():
            self._answer.set_exception(error)


def _authority(parts: SplitResult) -> str:
    return parts.netloc.rpartition("@")[2]


def _login(parts: SplitResult) -> dict[str, str]:
    """What stands before the @ of an address, unless a header says otherwise."""
    if parts.username is None:
        return {}
    login = f"{unquote(parts.username)}:{unquote(parts.password or '')}"
    return {"Authorization": f"Basic {base64.b64encode(login.encode()).decode()}"}


def _head(headers: Mapping[str, str]) -> bytes:
    for name, value in headers.items():
        if not (value.isascii() and value.isprintable()):
            raise ValueError(f"no {name} header can carry this value")
    return "".join(f"{name}: {value}\r\n" for name, value in headers.items()).encode()
