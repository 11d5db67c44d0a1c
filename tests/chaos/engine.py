"""An engine that takes its time: `python -m tests.chaos.engine PORT LONGEST_SECONDS`.

It answers like the benchmarks' stub, each completion after a random part of the
longest time, so that faults meet calls under way. No tokenizer is offered.
"""

import asyncio
import random
import sys
from contextlib import suppress
from typing import Final

from benchmarks.stub_engine import NOT_FOUND, completion, content_length, models

_MODELS: Final = models(context=2048)
_LONGEST_HEAD: Final = 65_536


async def converse(
    reader: asyncio.StreamReader, writer: asyncio.StreamWriter, *, longest: float
) -> None:
    with suppress(OSError, EOFError):
        while True:
            head = (await reader.readuntil(b"\r\n\r\n")).lower()
            body = await reader.readexactly(content_length(head))
            if head.startswith(b"post /v1/chat/completions"):
                await asyncio.sleep(random.uniform(longest / 10, longest))
            writer.write(_answer(head, body))
            await writer.drain()
    writer.close()


def _answer(head: bytes, body: bytes) -> bytes:
    if head.startswith(b"post /v1/chat/completions"):
        return completion(len(body))
    return _MODELS if head.startswith(b"get /v1/models") else NOT_FOUND


async def main(port: int, longest: float) -> None:
    async def accept(
        reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        await converse(reader, writer, longest=longest)

    server = await asyncio.start_server(accept, "127.0.0.1", port, limit=_LONGEST_HEAD)
    await server.serve_forever()


if __name__ == "__main__":
    asyncio.run(main(int(sys.argv[1]), float(sys.argv[2])))
