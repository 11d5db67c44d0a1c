"""What an operator has paused, as the gateway knows it: read once a second.

Requests ask a set in memory. While the database is away the last answer holds.
"""

import asyncio
from contextlib import suppress
from datetime import timedelta
from typing import Final
from uuid import UUID

import structlog

from jobs.lifecycle import Tier
from jobs.store.pause_store import Pause, Scope, list_pauses
from plumbing.database import Database, DatabaseUnavailable

_INTERVAL: Final = timedelta(seconds=1)

log = structlog.get_logger()


class Pauses:
    """Whether a tenant may use the realtime tier now; batch heeds its pauses itself."""

    def __init__(self, database: Database, *, interval: timedelta = _INTERVAL) -> None:
        self._database = database
        self._interval = interval.total_seconds()
        self._reading: asyncio.Task[None] | None = None
        self._is_realtime_paused = False
        self._tenants: frozenset[UUID] = frozenset()

    def is_realtime_paused(self, tenant_id: UUID) -> bool:
        return self._is_realtime_paused or tenant_id in self._tenants

    def start(self) -> None:
        self._reading = asyncio.create_task(self._read(), name="pauses")

    async def close(self) -> None:
        if self._reading is not None:
            self._reading.cancel()
            with suppress(asyncio.CancelledError):
                await self._reading

    async def look(self) -> None:
        async with self._database.statement() as tx:
            pauses = await list_pauses(tx)
        self._tenants = frozenset(
            pause.tenant_id
            for pause in pauses
            if pause.tenant_id is not None and pause.step != "resuming"
        )
        self._is_realtime_paused = any(map(_is_of_realtime, pauses))

    async def _read(self) -> None:
        while True:
            try:
                await self.look()
            except DatabaseUnavailable:
                log.debug("pauses.unknown")
            await asyncio.sleep(self._interval)


def _is_of_realtime(pause: Pause) -> bool:
    return pause.scope is not Scope.TENANT and pause.name == Tier.REALTIME
