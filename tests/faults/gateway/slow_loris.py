"""Callers who never finish: `python -m tests.faults.gateway.slow_loris PORT COUNT KEY`.

Half of them send the head of a request, half its body, a byte at a time each few
seconds. Says `ready` once all are connected, and goes on until it is ended; whoever is
cut off comes again. A process of its own, so that the attack costs the test nothing.
"""

import asyncio
import random
import sys
from contextlib import suppress
from itertools import cycle
from typing import Final

_PAUSE_SECONDS: Final = 5.0
_TYPE: Final = "Content-Type: application/json\r\n"


def _head(key: str) -> bytes:
    """It never ends: one header more would be left to come."""
    return (
        "POST /v1/summaries HTTP/1.1\r\nHost: precis.test\r\n"
        f"Authorization: Bearer {key}\r\n{_TYPE}"
    ).encode()


def _whole_head(key: str) -> bytes:
    return _head(key) + b'Content-Length: 100000\r\n\r\n{"text": "'


async def _connect(
    port: int, opening: bytes
) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(opening)
    return reader, writer


async def _drip(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Until the other side has had enough."""
    while not reader.at_eof():
        await asyncio.sleep(random.uniform(0, 2 * _PAUSE_SECONDS))
        writer.write(b"x")
    writer.close()


async def _besiege(port: int, opening: bytes, connected: asyncio.Semaphore) -> None:
    is_first = True
    while True:
        with suppress(OSError):
            line = await _connect(port, opening)
            if is_first:
                connected.release()
                is_first = False
            await _drip(*line)


async def main(port: int, count: int, key: str) -> None:
    connected = asyncio.Semaphore(0)
    openings = cycle((_head(key), _whole_head(key)))
    async with asyncio.TaskGroup() as siege:
        for _ in range(count):
            siege.create_task(_besiege(port, next(openings), connected))
        for _ in range(count):
            await connected.acquire()
        print("ready", flush=True)  # noqa: T201 - the test waits for it


if __name__ == "__main__":
    asyncio.run(main(int(sys.argv[1]), int(sys.argv[2]), sys.argv[3]))
