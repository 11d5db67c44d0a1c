"""An engine whose answers a test writes, speaking the same HTTP as a real one.

It serves /v1/models, /v1/chat/completions and, where a test wishes it, /tokenize from
a task of the test's own loop.
What it sends is what real servers send; only the words are the test's.
"""

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

MODEL = "scripted"
Answer = Callable[["Call"], Awaitable[tuple[int, dict[str, Any]]]]
Tokenizer = Callable[[str], Awaitable[int]]


@dataclass(frozen=True)
class Call:
    request: dict[str, Any]
    number: int

    @property
    def text(self) -> str:
        content: str = self.request["messages"][-1]["content"]
        return content


def completion(
    text: str, *, finish_reason: str = "stop", prompt_tokens: int | None = None
) -> tuple[int, dict[str, Any]]:
    """A 200 in the engines' shape."""
    usage = None
    if prompt_tokens is not None:
        usage = {"prompt_tokens": prompt_tokens, "completion_tokens": 7}
    return 200, {
        "id": "chatcmpl-1",
        "object": "chat.completion",
        "created": 1,
        "model": MODEL,
        "choices": [
            {
                "index": 0,
                "message": {"role": "assistant", "content": text},
                "finish_reason": finish_reason,
            }
        ],
        "usage": usage,
    }


async def first_words(call: Call) -> tuple[int, dict[str, Any]]:
    """A plain answer: some words of the text in another order."""
    words = [word for word in call.text.split() if "document>" not in word][:60]
    return completion("In short: " + " ".join(reversed(words)) + ".")


@dataclass
class ScriptedEngine:
    url: str = ""
    answer: Answer = first_words
    tokenizer: Tokenizer | None = None
    calls: list[Call] = field(default_factory=list)
    open_calls: int = 0
    broken_off: int = 0
    """Calls whose client left before the answer."""

    async def serve(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        try:
            while head := await reader.readuntil(b"\r\n\r\n"):
                await self._exchange(head.decode().lower(), reader, writer)
        except (asyncio.IncompleteReadError, ConnectionError, asyncio.CancelledError):
            pass  # the client left, or the test ended
        finally:
            writer.close()

    async def _exchange(
        self, head: str, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        length = 0
        for line in head.splitlines():
            if line.startswith("content-length:"):
                length = int(line.split(":")[1])
        body = await reader.readexactly(length)
        content: dict[str, Any]
        if head.startswith("get /v1/models"):
            card = {"id": MODEL, "owned_by": "tests", "max_model_len": 4096}
            status, content = 200, {"object": "list", "data": [card]}
        elif head.startswith("post /v1/chat/completions"):
            status, content = await self._complete(json.loads(body), reader)
        elif head.startswith("post /tokenize") and self.tokenizer is not None:
            count = await self.tokenizer(json.loads(body)["prompt"])
            status, content = 200, {"count": count, "max_model_len": 4096}
        else:
            status, content = 404, {"error": {"message": "not found", "code": 404}}
        payload = json.dumps(content).encode()
        writer.write(
            f"HTTP/1.1 {status} X\r\ncontent-type: application/json\r\n"
            f"content-length: {len(payload)}\r\n\r\n".encode()
            + payload
        )
        await writer.drain()

    async def _complete(
        self, request: dict[str, Any], reader: asyncio.StreamReader
    ) -> tuple[int, dict[str, Any]]:
        if request["max_tokens"] == 1:
            return completion("ok")  # a pool's probe
        call = Call(request, len(self.calls) + 1)
        self.calls.append(call)
        self.open_calls += 1
        answering = asyncio.ensure_future(self.answer(call))
        leaving = asyncio.ensure_future(reader.read(1))
        try:
            await asyncio.wait({answering, leaving}, return_when="FIRST_COMPLETED")
            if not answering.done():
                self.broken_off += 1
                raise ConnectionResetError
            return answering.result()
        finally:
            self.open_calls -= 1
            answering.cancel()
            leaving.cancel()
            await asyncio.wait({leaving})


@asynccontextmanager
async def scripted_engine() -> AsyncIterator[ScriptedEngine]:
    engine = ScriptedEngine()
    server = await asyncio.start_server(engine.serve, "127.0.0.1", 0, limit=2**24)
    engine.url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
    yield engine
    server.close()
