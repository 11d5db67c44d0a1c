"""A client that costs less than any server: `python -m benchmarks.load_client FILE`.

FILE holds the question (see `Load`), the answer is printed as JSON. Each connection
stays open and has one request under way; the next follows the answer. A client library
would be the bottleneck and measure itself.
"""

import asyncio
import json
import sys
import time
from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, cast

import uvloop

_END: Final = b"\r\n\r\n"
_LENGTH: Final = b"content-length:"


@dataclass(frozen=True, kw_only=True)
class Load:
    port: int
    path: str
    headers: dict[str, str]
    body: dict[str, Any]
    connections: int
    seconds: float
    """How long requests are begun; 0: one request for each connection."""
    warm_up: float = 0.0

    def request(self) -> bytes:
        body = json.dumps(self.body).encode()
        headers = {
            "Host": f"127.0.0.1:{self.port}",
            "Content-Type": "application/json",
            "Content-Length": str(len(body)),
            **self.headers,
        }
        lines = [f"POST {self.path} HTTP/1.1"]
        lines += [f"{name}: {value}" for name, value in headers.items()]
        return "\r\n".join(lines).encode() + _END + body


class _Tally:
    """What all connections saw, from the end of the warm-up on."""

    def __init__(self, load: Load) -> None:
        self.begins = time.perf_counter() + load.warm_up
        self.ends = self.begins + load.seconds
        self.latencies: list[float] = []
        self.statuses: Counter[str] = Counter()
        self.last = self.begins

    def note(self, status: str, *, sent: float) -> bool:
        """Count an answer; whether another request is to follow."""
        now = time.perf_counter()
        if sent >= self.begins:
            self.latencies.append(now - sent)
            self.statuses[status] += 1
            self.last = now
        return now < self.ends


class _Connection(asyncio.Protocol):
    def __init__(self, request: bytes, tally: _Tally) -> None:
        self._request = request
        self._tally = tally
        self._received = b""
        self.closed = asyncio.get_running_loop().create_future()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        # uvloop's transports are none of asyncio's classes, only like them.
        self._transport = cast("asyncio.Transport", transport)
        self._send()

    def connection_lost(self, _: Exception | None) -> None:
        self.closed.set_result(None)

    def data_received(self, data: bytes) -> None:
        self._received += data
        end = self._received.find(_END)
        if end < 0:
            return
        head = self._received[:end].lower()
        length = int(head.partition(_LENGTH)[2].split(b"\r\n", 1)[0] or b"0")
        if len(self._received) < end + len(_END) + length:
            return
        self._received = b""
        if self._tally.note(head[9:12].decode(), sent=self._sent):
            self._send()
        else:
            self._transport.close()

    def _send(self) -> None:
        self._sent = time.perf_counter()
        self._transport.write(self._request)


async def run(load: Load) -> dict[str, Any]:
    loop, request, tally = asyncio.get_running_loop(), load.request(), _Tally(load)
    opened = [
        await loop.create_connection(
            lambda: _Connection(request, tally), "127.0.0.1", load.port
        )
        for _ in range(load.connections)
    ]
    await asyncio.gather(*(connection.closed for _, connection in opened))
    ordered = sorted(tally.latencies) or [0.0]
    seconds = max(tally.last - tally.begins, 1e-9)
    return {
        "requests": len(tally.latencies),
        "per_second": len(tally.latencies) / seconds,
        "p50_ms": 1000 * ordered[len(ordered) // 2],
        "p99_ms": 1000 * ordered[int(len(ordered) * 0.99)],
        "statuses": dict(tally.statuses),
        "client_cpu": time.process_time() / (time.perf_counter() - tally.begins),
    }


if __name__ == "__main__":
    asked = Load(**json.loads(Path(sys.argv[1]).read_text(encoding="utf-8")))
    print(json.dumps(uvloop.run(run(asked))))
