"""An engine that takes its time: `python -m tests.chaos.engine PORT LONGEST_SECONDS`.

It answers like the benchmarks' stub, each completion after a random part of the
longest time, so that faults meet calls under way. No tokenizer is offered.
"""

import asyncio
import json
import random
import sys
from contextlib import suppress
from typing import Any, Final

from benchmarks.stub_engine import MODEL, SUMMARY

_CONTEXT: Final = 2048
_LONGEST_HEAD: Final = 65_536


async def converse(
    reader: asyncio.StreamReader, writer: asyncio.StreamWriter, *, longest: float
) -> None:
    with suppress(OSError, EOFError):
        while True:
            head = (await reader.readuntil(b"\r\n\r\n")).lower()
            body = await reader.readexactly(_length(head))
            if head.startswith(b"post /v1/chat/completions"):
                await asyncio.sleep(random.uniform(longest / 10, longest))
            writer.write(_answer(head, body))
            await writer.drain()
    writer.close()


def _length(head: bytes) -> int:
    for line in head.split(b"\r\n"):
        if line.startswith(b"content-length:"):
            return int(line.partition(b":")[2])
    return 0


def _answer(head: bytes, body: bytes) -> bytes:
    if head.startswith(b"post /v1/chat/completions"):
        return _response("200 OK", _completion(prompt_tokens=len(body) // 2))
    if head.startswith(b"get /v1/models"):
        model = {"id": MODEL, "owned_by": "chaos", "max_model_len": _CONTEXT}
        return _response("200 OK", {"object": "list", "data": [model]})
    return _response("404 Not Found", {"error": {"message": "not offered"}})


def _completion(*, prompt_tokens: int) -> dict[str, Any]:
    message = {"role": "assistant", "content": SUMMARY}
    usage = {
        "prompt_tokens": prompt_tokens,
        "completion_tokens": 64,
        "total_tokens": prompt_tokens + 64,
    }
    return {
        "id": "chatcmpl-chaos",
        "object": "chat.completion",
        "created": 1,
        "model": MODEL,
        "choices": [{"index": 0, "message": message, "finish_reason": "stop"}],
        "usage": usage,
    }


def _response(status: str, content: object) -> bytes:
    body = json.dumps(content).encode()
    head = (
        f"HTTP/1.1 {status}\r\nContent-Type: application/json\r\n"
        f"Content-Length: {len(body)}\r\n\r\n"
    )
    return head.encode() + body


async def main(port: int, longest: float) -> None:
    async def accept(
        reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        await converse(reader, writer, longest=longest)

    server = await asyncio.start_server(accept, "127.0.0.1", port, limit=_LONGEST_HEAD)
    await server.serve_forever()


if __name__ == "__main__":
    asyncio.run(main(int(sys.argv[1]), float(sys.argv[2])))
