"""The two drivers that carry out a flow: one blocks, one works on asyncio.

They send and wait, and decide nothing. Loopback addresses are called directly even
where the environment names a proxy, since no proxy could reach them.
"""

import asyncio
import time
from collections.abc import AsyncIterator, Callable, Iterator
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any, Final, TypeVar
from urllib.parse import urlsplit

import httpx

from precis.client.page import Page
from precis.client.requests import Request
from precis.client.retrying import Flow, Patience, Pause, Reply

T = TypeVar("T")
DEFAULT_TIMEOUT: Final = timedelta(seconds=30)
_CONNECT_SECONDS: Final = 5.0
_DIRECT: Final = ("all://127.0.0.1", "all://localhost", "all://[::1]")


@dataclass(frozen=True, slots=True, kw_only=True)
class Access:
    """Where the service is, who asks, and how patiently."""

    url: str
    api_key: str = field(repr=False)
    timeout: timedelta
    """For one answer; what the service is asked to wait comes on top."""
    patience: Patience

    def __post_init__(self) -> None:
        parts = urlsplit(self.url)
        if parts.scheme not in {"http", "https"} or not parts.hostname:
            raise ValueError("the address begins with http:// or https:// and a host")
        if not (self.api_key.isascii() and self.api_key.isprintable()):
            raise ValueError("the API key holds characters that no key has")

    def arguments(self) -> dict[str, Any]:
        """How httpx's clients are made, both of them."""
        return {
            "base_url": self.url,
            "headers": {
                "Authorization": f"Bearer {self.api_key}",
                "User-Agent": "precis-python",
            },
            "mounts": dict.fromkeys(_DIRECT),
        }

    def options(self, request: Request) -> dict[str, Any]:
        """How httpx is told one request, both ways."""
        seconds = (self.timeout + request.wait).total_seconds()
        return {
            "headers": dict(request.headers),
            "params": list(request.params),
            "content": request.content,
            "timeout": httpx.Timeout(seconds, connect=_CONNECT_SECONDS),
        }


class Connection:
    """Carries out flows, blocking the calling thread. Safe to share by threads."""

    def __init__(self, access: Access) -> None:
        self._access = access
        self._http = httpx.Client(**access.arguments())

    @property
    def patience(self) -> Patience:
        return self._access.patience

    def run(self, flow: Flow[T]) -> T:
        step = next(flow)
        try:
            while True:
                if isinstance(step, Pause):
                    time.sleep(step.delay.total_seconds())
                    step = flow.send(None)
                else:
                    step = flow.send(self._send(step.request))
        except StopIteration as end:
            answer: T = end.value
            return answer

    def pages(self, ask: Callable[[str | None], Flow[Page[T]]]) -> Iterator[T]:
        """All items of a list; a page is fetched when its first item is wanted."""
        cursor = None
        while True:
            page = self.run(ask(cursor))
            yield from page.items
            cursor = page.next_cursor
            if cursor is None:
                return

    def close(self) -> None:
        self._http.close()

    def _send(self, request: Request) -> Reply:
        options = self._access.options(request)
        try:
            return self._http.request(request.method, request.path, **options)
        except httpx.RequestError as error:
            return error


class AsyncConnection:
    """Carries out flows on the running event loop."""

    def __init__(self, access: Access) -> None:
        self._access = access
        self._http = httpx.AsyncClient(**access.arguments())

    @property
    def patience(self) -> Patience:
        return self._access.patience

    async def run(self, flow: Flow[T]) -> T:
        step = next(flow)
        try:
            while True:
                if isinstance(step, Pause):
                    await asyncio.sleep(step.delay.total_seconds())
                    step = flow.send(None)
                else:
                    step = flow.send(await self._send(step.request))
        except StopIteration as end:
            answer: T = end.value
            return answer

    async def pages(
        self, ask: Callable[[str | None], Flow[Page[T]]]
    ) -> AsyncIterator[T]:
        """All items of a list; a page is fetched when its first item is wanted."""
        cursor = None
        while True:
            page = await self.run(ask(cursor))
            for item in page.items:
                yield item
            cursor = page.next_cursor
            if cursor is None:
                return

    async def close(self) -> None:
        await self._http.aclose()

    async def _send(self, request: Request) -> Reply:
        options = self._access.options(request)
        try:
            return await self._http.request(request.method, request.path, **options)
        except httpx.RequestError as error:
            return error
