"""The engine transport over real sockets, against servers that send chosen bytes."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import timedelta

import pytest

from plumbing.engine_errors import EngineGarbled, EngineUnavailable
from plumbing.engine_transport import EngineTransport

SECOND = timedelta(seconds=1)
OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"
CLOSE = b""
"""Among the pieces that a server sends: hang up here."""


@dataclass
class RawServer:
    """Sends the pieces, one write each, for every request that comes in."""

    pieces: list[bytes]
    requests: list[bytes] = field(default_factory=list)
    connections: int = 0
    hung_up: asyncio.Event = field(default_factory=asyncio.Event)
    """The other side left."""
    port: int = 0

    async def serve(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        self.connections += 1
        try:
            while head := await reader.readuntil(b"\r\n\r\n"):
                length = int(head.lower().split(b"content-length: ")[1].split()[0])
                self.requests.append(head + await reader.readexactly(length))
                for piece in self.pieces:
                    if piece is CLOSE:
                        return
                    writer.write(piece)
                    await writer.drain()
                    await asyncio.sleep(0)
        except (EOFError, OSError):
            self.hung_up.set()
        finally:
            writer.close()


@asynccontextmanager
async def server_of(*pieces: bytes) -> AsyncIterator[tuple[RawServer, EngineTransport]]:
    raw = RawServer(list(pieces))
    listening = await asyncio.start_server(raw.serve, "127.0.0.1", 0)
    raw.port = listening.sockets[0].getsockname()[1]
    transport = EngineTransport(
        f"http://127.0.0.1:{raw.port}",
        headers={"Accept": "*/*"},
        connect_timeout=SECOND,
    )
    try:
        yield raw, transport
    finally:
        transport.close()
        listening.close()


async def ask(transport: EngineTransport, body: bytes = b"{}") -> bytes:
    response = await transport.exchange(
        "POST", "/x", body, request_id="r-1", within=timedelta(seconds=10)
    )
    assert response.status == 200
    return response.content


@pytest.mark.parametrize(
    "pieces",
    [
        [OK],
        [OK[at : at + 1] for at in range(len(OK))],
        [
            b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1\r\no\r\n",
            b"1\r\nk\r\n0\r\n\r\n",
        ],
        [b"HTTP/1.1 100 Continue\r\n\r\n" + OK],
        [b"HTTP/1.1 102 Processing\r\n\r\n", OK],
    ],
    ids=["whole", "byte by byte", "chunked", "continue with it", "interim before it"],
)
async def test_an_answer_is_read_however_it_comes(pieces: list[bytes]) -> None:
    async with server_of(*pieces) as (raw, transport):
        assert [await ask(transport) for _ in range(3)] == [b"ok"] * 3
    assert raw.connections == 1


async def test_a_request_is_sent_whole() -> None:
    async with server_of(OK) as (raw, transport):
        await ask(transport, "很".encode() * 100_000)
    head, _, body = raw.requests[0].partition(b"\r\n\r\n")
    assert head.splitlines() == [
        b"POST /x HTTP/1.1",
        b"X-Request-Id: r-1",
        b"Host: 127.0.0.1:%d" % raw.port,
        b"Accept: */*",
        b"Content-Length: 300000",
    ]
    assert body == "很".encode() * 100_000


async def test_a_body_may_end_with_its_connection() -> None:
    async with server_of(b"HTTP/1.1 200 OK\r\n\r\no", b"k", CLOSE) as (raw, transport):
        assert [await ask(transport) for _ in range(2)] == [b"ok"] * 2
    assert raw.connections == 2


async def test_a_connection_that_the_server_ends_is_not_used_again() -> None:
    closing = OK.replace(b"\r\n\r\n", b"\r\nConnection: close\r\n\r\n")
    async with server_of(closing) as (raw, transport):
        assert [await ask(transport) for _ in range(2)] == [b"ok"] * 2
    assert raw.connections == 2


async def test_what_nobody_asked_for_answers_nobody() -> None:
    stray = OK.replace(b"ok", b"no")
    async with server_of(OK + stray) as (raw, transport):
        assert [await ask(transport) for _ in range(2)] == [b"ok"] * 2
    assert raw.connections == 2


@pytest.mark.parametrize(
    "pieces",
    [[CLOSE], [OK[:-1], CLOSE], [b"HTTP/1.1 200 OK\r\nConte", CLOSE]],
    ids=["nothing", "half a body", "half a head"],
)
async def test_a_cut_answer_is_no_answer(pieces: list[bytes]) -> None:
    async with server_of(*pieces) as (_, transport):
        with pytest.raises(EngineUnavailable) as caught:
            await ask(transport)
    assert caught.value.was_reached


async def test_what_is_not_http_is_garbled_and_hung_up_on() -> None:
    async with server_of(b"220 mail.example.com ESMTP\r\n") as (raw, transport):
        with pytest.raises(EngineGarbled):
            await ask(transport)
        async with asyncio.timeout(5):
            await raw.hung_up.wait()


async def test_an_endless_answer_is_given_up() -> None:
    endless = [b"HTTP/1.1 200 OK\r\n\r\n", *[b"x" * 1_048_576] * 40]
    async with server_of(*endless) as (raw, transport):
        with pytest.raises(EngineGarbled):
            await ask(transport)
        async with asyncio.timeout(5):
            await raw.hung_up.wait()


async def test_a_server_without_tls_was_not_reached_by_https() -> None:
    async with server_of(OK) as (raw, _):
        secure = EngineTransport(
            f"https://127.0.0.1:{raw.port}", headers={}, connect_timeout=SECOND
        )
        with pytest.raises(EngineUnavailable) as caught:
            await ask(secure)
    assert not caught.value.was_reached


async def test_an_address_may_have_a_path_and_a_login() -> None:
    async with server_of(OK) as (raw, _):
        transport = EngineTransport(
            f"http://me:s%40fe@127.0.0.1:{raw.port}/models/a/",
            headers={},
            connect_timeout=SECOND,
        )
        await ask(transport)
        transport.close()
    assert raw.requests[0].startswith(b"POST /models/a/x HTTP/1.1\r\n")
    assert b"\r\nHost: 127.0.0.1:%d\r\n" % raw.port in raw.requests[0]
    assert b"\r\nAuthorization: Basic bWU6c0BmZQ==\r\n" in raw.requests[0]


@pytest.mark.parametrize("key", ["two\r\nlines", "schlüssel", "end\n"])
def test_a_key_that_no_header_can_carry_is_refused(key: str) -> None:
    with pytest.raises(ValueError, match="Authorization"):
        EngineTransport(
            "http://engine:8000", headers={"Authorization": key}, connect_timeout=SECOND
        )


@pytest.mark.parametrize("url", ["engine:8000", "ftp://engine", "http://", "/v1"])
def test_another_address_is_refused(url: str) -> None:
    with pytest.raises(ValueError, match="http://HOST"):
        EngineTransport(url, headers={}, connect_timeout=SECOND)
