"""The three pages that probes and Prometheus ask of a process without a web server.

A few lines of HTTP on the process's own event loop, so that an answer proves that the
loop turns. The gateway serves these pages through its own application instead. What
"ready" means is told by the checks passed in; an error is named by its class alone,
since its message may hold addresses.
"""

import asyncio
import json
from collections.abc import Awaitable, Callable, Mapping
from http import HTTPStatus
from typing import Final, NamedTuple

from prometheus_client import CONTENT_TYPE_LATEST, generate_latest

Check = Callable[[], Awaitable[None]]

_HEAD_LIMIT: Final = 8192
_REQUEST_TIMEOUT: Final = 5.0
_CHECK_TIMEOUT: Final = 2.0


class _Page(NamedTuple):
    status: HTTPStatus
    content_type: str
    body: bytes


def _as_json(status: HTTPStatus, content: Mapping[str, str]) -> _Page:
    return _Page(status, "application/json", json.dumps(content).encode())


async def run_checks(checks: Mapping[str, Check]) -> dict[str, str]:
    """Run all checks side by side; each is "ok" or the class of its error."""
    outcomes = await asyncio.gather(
        *(asyncio.wait_for(check(), _CHECK_TIMEOUT) for check in checks.values()),
        return_exceptions=True,
    )
    return {
        name: "ok" if outcome is None else type(outcome).__name__
        for name, outcome in zip(checks, outcomes, strict=True)
    }


class HealthServer:
    """GET /healthz, /readyz and /metrics on a port of its own."""

    def __init__(self, host: str, port: int, *, checks: Mapping[str, Check]) -> None:
        self._host = host
        self._port = port
        self._checks = checks
        self._server: asyncio.Server | None = None

    @property
    def port(self) -> int:
        """The port that is bound, which tells more than the 0 it was asked for."""
        if self._server is None:
            return self._port
        port: int = self._server.sockets[0].getsockname()[1]
        return port

    async def start(self) -> None:
        self._server = await asyncio.start_server(
            self._converse, self._host, self._port, limit=_HEAD_LIMIT
        )

    async def stop(self) -> None:
        if self._server is not None:
            self._server.close()
            self._server = None

    async def _converse(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        try:
            async with asyncio.timeout(_REQUEST_TIMEOUT):
                head = await reader.readuntil(b"\r\n\r\n")
                writer.write(await self._answer(head))
                await writer.drain()
        except (OSError, EOFError, asyncio.LimitOverrunError):
            pass  # TimeoutError is an OSError: a caller that dawdles gets no answer
        finally:
            writer.close()

    async def _answer(self, head: bytes) -> bytes:
        method, _, rest = head.partition(b" ")
        path = rest.split(b" ", 1)[0].split(b"?", 1)[0]
        page = await self._page(method, path)
        headers = (
            f"HTTP/1.1 {page.status.value} {page.status.phrase}\r\n"
            f"Content-Type: {page.content_type}\r\n"
            f"Content-Length: {len(page.body)}\r\n"
            "Cache-Control: no-store\r\nConnection: close\r\n\r\n"
        )
        return headers.encode() + (b"" if method == b"HEAD" else page.body)

    async def _page(self, method: bytes, path: bytes) -> _Page:
        if method not in {b"GET", b"HEAD"}:
            return _as_json(HTTPStatus.METHOD_NOT_ALLOWED, {"status": "refused"})
        if path == b"/healthz":
            return _as_json(HTTPStatus.OK, {"status": "ok"})
        if path == b"/readyz":
            return await self._readiness()
        if path == b"/metrics":
            return _Page(HTTPStatus.OK, CONTENT_TYPE_LATEST, generate_latest())
        return _as_json(HTTPStatus.NOT_FOUND, {"status": "unknown"})

    async def _readiness(self) -> _Page:
        outcomes = await run_checks(self._checks)
        is_ready = all(outcome == "ok" for outcome in outcomes.values())
        status = HTTPStatus.OK if is_ready else HTTPStatus.SERVICE_UNAVAILABLE
        return _as_json(status, outcomes)
