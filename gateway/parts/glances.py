"""What the gateway reads again and again, to answer from memory in between.

While the database is away what was read last holds. What is read is the callers'.
"""

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import suppress
from datetime import timedelta

import structlog

from plumbing.database import DatabaseUnavailable

log = structlog.get_logger()


class Glances:
    """Calls `look` in a task of its own, at once and then with a rest after each."""

    def __init__(
        self, name: str, look: Callable[[], Awaitable[None]], *, rest: timedelta
    ) -> None:
        self._name = name
        self._look = look
        self._rest = rest.total_seconds()
        self._task: asyncio.Task[None] | None = None

    def start(self) -> None:
        self._task = asyncio.create_task(self._go_on(), name=self._name)

    async def close(self) -> None:
        if self._task is not None:
            self._task.cancel()
            with suppress(asyncio.CancelledError):
                await self._task

    async def _go_on(self) -> None:
        while True:
            try:
                await self._look()
            except DatabaseUnavailable:
                log.debug("glances.outage", of=self._name)
            await asyncio.sleep(self._rest)
