"""The relay that the fault tests rely on does what its faults say, and only that."""

import asyncio
import socket
import time
from collections.abc import AsyncIterator
from contextlib import suppress

import pytest

from tests.faults.proxy import Flow, Proxy
from tests.waiting import until

Ends = tuple[asyncio.StreamReader, asyncio.StreamWriter]


@pytest.fixture
async def proxy() -> AsyncIterator[Proxy]:
    """Before a server that says everything back."""

    async def say_back(
        reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        try:
            while said := await reader.read(65536):
                heard.extend(said)
                writer.write(said)
        except ConnectionError:
            pass
        writer.close()

    heard = bytearray()
    async with await asyncio.start_server(say_back, "127.0.0.1", 0) as server:
        port = server.sockets[0].getsockname()[1]
        async with Proxy("127.0.0.1", port) as opened:
            opened.heard = heard  # type: ignore[attr-defined]
            yield opened


async def say(ends: Ends, words: bytes) -> bytes:
    ends[1].write(words)
    return await asyncio.wait_for(ends[0].readexactly(len(words)), 5)


async def is_silent(ends: Ends, words: bytes) -> bool:
    ends[1].write(words)
    try:
        await asyncio.wait_for(ends[0].read(1), 0.2)
    except TimeoutError:
        return True
    return False


class Caller:
    """Opens connections and closes them all with the test."""

    def __init__(self) -> None:
        self._opened: list[Ends] = []

    async def connect(self, proxy: Proxy) -> Ends:
        ends = await asyncio.open_connection("127.0.0.1", proxy.port)
        self._opened.append(ends)
        return ends

    async def close(self) -> None:
        for _, writer in self._opened:
            writer.close()
            with suppress(ConnectionError):
                await writer.wait_closed()


@pytest.fixture
async def caller() -> AsyncIterator[Caller]:
    opened = Caller()
    yield opened
    await opened.close()


async def test_bytes_pass_unchanged_and_the_end_too(
    proxy: Proxy, caller: Caller
) -> None:
    ends = await caller.connect(proxy)
    words = b"x" * 3_000_000
    assert await say(ends, words) == words
    ends[1].close()
    await ends[1].wait_closed()

    async def is_over() -> bool:
        return not proxy.connections

    await until(is_over)


async def test_held_bytes_come_when_the_line_heals(
    proxy: Proxy, caller: Caller
) -> None:
    ends = await caller.connect(proxy)
    proxy.fault(Flow.HOLD)
    assert await is_silent(ends, b"first ")
    proxy.heal()
    assert await say(ends, b"second") == b"first "


async def test_a_lost_answer_was_a_heard_request(proxy: Proxy, caller: Caller) -> None:
    ends = await caller.connect(proxy)
    proxy.answers = Flow.LOSE
    assert await is_silent(ends, b"kept")
    assert proxy.heard == b"kept"  # type: ignore[attr-defined]
    proxy.heal()
    assert await is_silent(ends, b"and no stream with a hole")
    assert await say(await caller.connect(proxy), b"new") == b"new"


async def test_latency_delays_and_does_not_throttle(
    proxy: Proxy, caller: Caller
) -> None:
    ends = await caller.connect(proxy)
    proxy.latency = 0.2
    started = time.monotonic()
    await say(ends, b"x" * 2_000_000)
    assert 0.4 <= time.monotonic() - started < 2


async def test_resets_and_refusals_are_seen_as_such(
    proxy: Proxy, caller: Caller
) -> None:
    ends = await caller.connect(proxy)
    await say(ends, b"up")
    await proxy.reset()
    with pytest.raises(ConnectionResetError):
        await say(ends, b"down")
    await proxy.refuse()
    with pytest.raises(ConnectionRefusedError):
        await caller.connect(proxy)
    await proxy.accept()
    assert await say(await caller.connect(proxy), b"up") == b"up"


async def test_garbage_is_as_long_as_the_answer(proxy: Proxy, caller: Caller) -> None:
    ends = await caller.connect(proxy)
    proxy.answers = Flow.GARBLE
    words = b"x" * 1000
    assert await say(ends, words) != words


async def test_while_it_refuses_nobody_else_gets_its_port(proxy: Proxy) -> None:
    await proxy.refuse()
    with socket.socket() as other, pytest.raises(OSError, match="in use"):
        other.bind(("127.0.0.1", proxy.port))
    await proxy.accept()
    await proxy.accept()
    await proxy.refuse()
    with pytest.raises(ConnectionRefusedError):
        await asyncio.open_connection("127.0.0.1", proxy.port)
