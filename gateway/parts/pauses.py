"""What an operator has paused, as the gateway knows it: read once a second.

Requests ask a set in memory. While the database is away the last answer holds.
"""

from datetime import timedelta
from typing import Final
from uuid import UUID

from gateway.parts.glances import Glances
from jobs.lifecycle import Tier
from jobs.store.pause_store import Pause, Scope, list_pauses
from plumbing.database import Database

_INTERVAL: Final = timedelta(seconds=1)


class Pauses:
    """Whether a tenant may use the realtime tier now; batch heeds its pauses itself."""

    def __init__(self, database: Database, *, interval: timedelta = _INTERVAL) -> None:
        self._database = database
        self._glances = Glances("pauses", self.look, rest=interval)
        self._is_realtime_paused = False
        self._tenants: frozenset[UUID] = frozenset()

    def is_realtime_paused(self, tenant_id: UUID) -> bool:
        return self._is_realtime_paused or tenant_id in self._tenants

    def start(self) -> None:
        self._glances.start()

    async def close(self) -> None:
        await self._glances.close()

    async def look(self) -> None:
        async with self._database.statement() as tx:
            pauses = await list_pauses(tx)
        self._tenants = frozenset(
            pause.tenant_id
            for pause in pauses
            if pause.tenant_id is not None and pause.step != "resuming"
        )
        self._is_realtime_paused = any(map(_is_of_realtime, pauses))


def _is_of_realtime(pause: Pause) -> bool:
    return pause.scope is not Scope.TENANT and pause.name == Tier.REALTIME
