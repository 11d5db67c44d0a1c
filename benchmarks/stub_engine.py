"""An engine that costs next to nothing: `python -m benchmarks.stub_engine PORT`.

It answers every chat completion at once with the same summary, in OpenAI's shapes, by
a bare protocol: a framework here would be what is measured. No tokenizer is offered,
so that gateway and worker count by their own estimate.
"""

import asyncio
import json
import sys
from typing import Final, cast

import uvloop

MODEL: Final = "stub"
SUMMARY: Final = (
    "A town in the north gives up its old harbour for coal and builds another one, "
    "from which wind turbines are to leave in three years. It costs a lot, the workers "
    "are promised places, and not everybody believes that the loan is wise."
)
_CONTEXT: Final = 8192
_END: Final = b"\r\n\r\n"
_LENGTH: Final = b"content-length:"


def _response(status: str, content: object) -> bytes:
    body = json.dumps(content).encode()
    head = (
        f"HTTP/1.1 {status}\r\nContent-Type: application/json\r\n"
        f"Content-Length: {len(body)}\r\n\r\n"
    )
    return head.encode() + body


NOT_FOUND: Final = _response("404 Not Found", {"error": {"message": "not offered"}})


def models(context: int) -> bytes:
    """The answer about the one model, with so many tokens of context."""
    model = {"id": MODEL, "owned_by": "precis", "max_model_len": context}
    return _response("200 OK", {"object": "list", "data": [model]})


def completion(body_bytes: int) -> bytes:
    """The answer to a prompt in a body of so many bytes."""
    # Never fewer than were sent, or the prompt would count as cut.
    prompt_tokens = body_bytes // 2
    choice = {
        "index": 0,
        "message": {"role": "assistant", "content": SUMMARY},
        "finish_reason": "stop",
    }
    usage = {
        "prompt_tokens": prompt_tokens,
        "completion_tokens": 64,
        "total_tokens": prompt_tokens + 64,
    }
    return _response(
        "200 OK",
        {
            "id": "chatcmpl-stub",
            "object": "chat.completion",
            "created": 1,
            "model": MODEL,
            "choices": [choice],
            "usage": usage,
        },
    )


_MODELS: Final = models(_CONTEXT)


class _Engine(asyncio.Protocol):
    _completions: Final[dict[int, bytes]] = {}

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        # uvloop's transports are none of asyncio's classes, only like them.
        self._transport = cast("asyncio.Transport", transport)
        self._received = b""

    def data_received(self, data: bytes) -> None:
        self._received += data
        while (end := self._received.find(_END)) >= 0:
            head = self._received[:end].lower()
            whole = end + len(_END) + content_length(head)
            if len(self._received) < whole:
                return
            self._received = self._received[whole:]
            self._transport.write(self._answer(head, size=whole - end))

    def _answer(self, head: bytes, *, size: int) -> bytes:
        if head.startswith(b"post /v1/chat/completions"):
            if size not in self._completions:
                self._completions[size] = completion(size)
            return self._completions[size]
        return _MODELS if head.startswith(b"get /v1/models") else NOT_FOUND


def content_length(head: bytes) -> int:
    """Of a head in small letters."""
    at = head.find(_LENGTH)
    return 0 if at < 0 else int(head[at + len(_LENGTH) :].split(b"\r\n", 1)[0])


async def main(port: int) -> None:
    loop = asyncio.get_running_loop()
    server = await loop.create_server(_Engine, "127.0.0.1", port, backlog=4096)
    await server.serve_forever()


if __name__ == "__main__":
    uvloop.run(main(int(sys.argv[1])))
