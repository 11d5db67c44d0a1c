"""How bodies are read: memory that is bounded, and slow senders that hold up nobody."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from typing import Any
from uuid import UUID, uuid4

import pytest
from fastapi import Request

from gateway.parts.bodies import BodyReader
from gateway.problems.answers import RequestRefused

ONE, TWO = uuid4(), uuid4()
PIECE = 65_536
LARGE = 1_000_000
MOST = 4_000_000


class Sender:
    """A caller's connection: what has been sent, and what is still to come."""

    def __init__(self, size: int, *, is_chunked: bool = False) -> None:
        self.size = size
        self.sent: asyncio.Queue[int] = asyncio.Queue()
        announced = [] if is_chunked else [(b"content-length", str(size).encode())]
        self.request = Request(
            {
                "type": "http",
                "headers": [(b"content-type", b"application/json"), *announced],
            },
            self._receive,
        )

    def send(self, size: int) -> None:
        self.sent.put_nowait(size)

    def send_all(self) -> "Sender":
        for start in range(0, self.size, PIECE):
            self.send(min(PIECE, self.size - start))
        return self

    async def _receive(self) -> dict[str, Any]:
        self.size -= (size := await self.sent.get())
        more = self.size > 0
        return {"type": "http.request", "body": b"x" * size, "more_body": more}


@pytest.fixture
def reader() -> BodyReader:
    return BodyReader(max_bytes=MOST, all_bytes=4 * MOST)


@pytest.fixture
async def held() -> AsyncIterator[AsyncExitStack]:
    """Bodies that are in hand until the test ends."""
    async with AsyncExitStack() as stack:
        yield stack


async def read(reader: BodyReader, sender: Sender, tenant: UUID = ONE) -> int:
    async with reader.reading(sender.request, tenant_id=tenant) as raw:
        return len(raw)


async def settle() -> None:
    for _ in range(50):
        await asyncio.sleep(0)


@pytest.mark.parametrize("is_chunked", [False, True])
@pytest.mark.parametrize("size", [0, 100, LARGE, MOST])
async def test_a_body_comes_whole_and_leaves_nothing_behind(
    reader: BodyReader, size: int, *, is_chunked: bool
) -> None:
    sender = Sender(size, is_chunked=is_chunked).send_all()
    if size == 0:
        sender.send(0)
    assert await read(reader, sender) == size
    assert reader._bytes.free == 4 * MOST
    assert reader._turns.free == 4


async def test_slow_senders_take_no_turn_from_anyone(reader: BodyReader) -> None:
    slow = [
        asyncio.create_task(read(reader, Sender(LARGE, is_chunked=bool(number % 2))))
        for number in range(20)
    ]
    await settle()
    assert await read(reader, Sender(LARGE).send_all(), TWO) == LARGE
    for task in slow:
        task.cancel()
    await asyncio.gather(*slow, return_exceptions=True)
    assert reader._bytes.free == 4 * MOST


async def test_one_tenants_large_bodies_leave_turns_to_others(
    reader: BodyReader, held: AsyncExitStack
) -> None:
    for _ in range(2):
        body = Sender(LARGE).send_all()
        await held.enter_async_context(reader.reading(body.request, tenant_id=ONE))
    third = asyncio.create_task(read(reader, Sender(LARGE).send_all()))
    await settle()
    assert not third.done()
    assert await read(reader, Sender(LARGE).send_all(), TWO) == LARGE
    await held.aclose()
    assert await third == LARGE


async def test_the_memory_for_bodies_is_bounded_whoever_sends(
    reader: BodyReader, held: AsyncExitStack
) -> None:
    """Small bodies are refused where there is no room; other tenants still have some."""
    size = 250_000
    for _ in range(MOST // size):
        body = Sender(size).send_all()
        await held.enter_async_context(reader.reading(body.request, tenant_id=ONE))
    with pytest.raises(RequestRefused) as refused:
        await read(reader, Sender(size).send_all())
    assert refused.value.code == "temporary_reduced_capacity"
    assert await read(reader, Sender(size).send_all(), TWO) == size


async def test_a_body_that_hides_its_length_counts_by_what_comes(
    reader: BodyReader, held: AsyncExitStack
) -> None:
    for _ in range(40):
        body = Sender(1000, is_chunked=True).send_all()
        await held.enter_async_context(reader.reading(body.request, tenant_id=ONE))
    assert reader._bytes.free == 4 * MOST - 40 * 1000


async def test_what_is_too_large_is_refused_as_soon_as_that_is_known(
    reader: BodyReader,
) -> None:
    for is_chunked in (False, True):
        sender = Sender(MOST + 1, is_chunked=is_chunked).send_all()
        with pytest.raises(RequestRefused) as refused:
            await read(reader, sender)
        assert refused.value.code == "body_too_large"
    assert reader._bytes.free == 4 * MOST
