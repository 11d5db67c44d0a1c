"""An HTTP server in the engine's shapes whose every answer the test decides."""

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any, NamedTuple


class Reply(NamedTuple):
    status: int
    body: bytes
    headers: dict[str, str] = {}  # noqa: RUF012  a NamedTuple's default


@dataclass
class Asked:
    method: str
    path: str
    headers: dict[str, str]
    body: Any


Script = Callable[[Asked], Awaitable[Reply]]


def as_json(content: Any, status: int = 200, **headers: str) -> Reply:
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return Reply(status, json.dumps(content).encode(), named)


def completion(text: str | None = "short", **changes: Any) -> dict[str, Any]:
    return {
        "model": "m",
        "choices": [{"message": {"content": text}, "finish_reason": "stop"}],
        "usage": {"prompt_tokens": 12, "completion_tokens": 3},
        **changes,
    }


def model_list(*ids: str, **more: Any) -> dict[str, Any]:
    return {"data": [{"id": name, "owned_by": "vllm", **more} for name in ids]}


async def answer_well(asked: Asked) -> Reply:
    if asked.path == "/v1/models":
        return as_json(model_list("m", max_model_len=8192))
    if asked.path == "/tokenize":
        return as_json({"count": len(asked.body["prompt"].split())})
    return as_json(completion())


@dataclass
class ScriptedEngine:
    script: Script = answer_well
    asked: list[Asked] = field(default_factory=list)
    was_asked: asyncio.Event = field(default_factory=asyncio.Event)
    hung_up: asyncio.Event = field(default_factory=asyncio.Event)
    """Set when a caller leaves before its answer."""
    port: int = 0
    connections: int = 0

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def completions(self) -> list[Asked]:
        """List what was asked, probes apart."""
        return [
            each
            for each in self.asked
            if each.path.endswith("completions")
            and each.headers.get("x-request-id") != "probe"
        ]

    async def serve(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        self.connections += 1
        try:
            while await self._serve_one(reader, writer):
                pass
        except (EOFError, OSError):
            pass
        finally:
            writer.close()

    async def _serve_one(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> bool:
        asked = await _read(reader)
        self.asked.append(asked)
        self.was_asked.set()
        working = asyncio.ensure_future(self.script(asked))
        leaving = asyncio.ensure_future(reader.read(1))
        done, _ = await asyncio.wait(
            {working, leaving}, return_when=asyncio.FIRST_COMPLETED
        )
        if working not in done:
            working.cancel()
            self.hung_up.set()
            return False
        leaving.cancel()
        await asyncio.gather(leaving, return_exceptions=True)
        writer.write(_written(working.result()))
        await writer.drain()
        return True


async def _read(reader: asyncio.StreamReader) -> Asked:
    head = (await reader.readuntil(b"\r\n\r\n")).decode()
    first, *lines = head.strip().split("\r\n")
    method, path, _ = first.split(" ")
    pairs = (line.split(": ", 1) for line in lines)
    headers = {name.lower(): value for name, value in pairs}
    body = await reader.readexactly(int(headers.get("content-length", 0)))
    return Asked(method, path, headers, json.loads(body) if body else None)


def _written(reply: Reply) -> bytes:
    headers = {"content-length": str(len(reply.body)), **reply.headers}
    lines = "".join(f"{name}: {value}\r\n" for name, value in headers.items())
    return f"HTTP/1.1 {reply.status} X\r\n{lines}\r\n".encode() + reply.body


@asynccontextmanager
async def running_engine(script: Script = answer_well) -> AsyncIterator[ScriptedEngine]:
    engine = ScriptedEngine(script)
    server = await asyncio.start_server(engine.serve, "127.0.0.1", 0)
    engine.port = server.sockets[0].getsockname()[1]
    try:
        yield engine
    finally:
        server.close()
