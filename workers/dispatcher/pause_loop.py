"""Moves the jobs of tenants that an operator paused or resumed.

The pause itself is a row, and claims heed it at once; here the jobs follow, so that the
claims need not step over them for ever. A walk that is broken off is begun anew by
whoever holds the lock next; moving a job twice is not possible.
"""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from datetime import timedelta
from functools import partial
from typing import Final
from uuid import UUID

import structlog

from jobs.operations.pause import BEGINNING, Reached, put_back, set_aside
from jobs.store.pause_store import Pause, end_pause, list_pauses, settle_pause
from plumbing.database import Database, DatabaseUnavailable, Transaction
from plumbing.repeating import repeat_while_locked

_INTERVAL: Final = timedelta(seconds=1)
_STANDBY: Final = timedelta(seconds=2)

log = structlog.get_logger()


class PauseLoop:
    def __init__(self, database: Database) -> None:
        self._database = database

    async def run(self, stop: asyncio.Event) -> None:
        async def take_a_round(connection: Transaction) -> bool:
            # Over the lock's own connection: who has lost it moves no more.
            await self._follow(await list_pauses(connection), stop)
            return False

        await repeat_while_locked(
            take_a_round,
            lock=partial(self._database.session_lock, "pauses"),
            standby=_STANDBY,
            name="pauses",
            rest=_INTERVAL,
            stop=stop,
            outages=(DatabaseUnavailable,),
        )

    async def run_once(self, stop: asyncio.Event) -> None:
        async with self._database.statement() as tx:
            pauses = await list_pauses(tx)
        await self._follow(pauses, stop)

    async def _follow(self, pauses: Sequence[Pause], stop: asyncio.Event) -> None:
        for pause in pauses:
            if pause.tenant_id is None:
                continue
            if pause.step == "pausing":
                await self._walk(pause.tenant_id, set_aside, stop, then=settle_pause)
            elif pause.step == "resuming":
                await self._walk(pause.tenant_id, put_back, stop, then=end_pause)

    async def _walk(
        self,
        tenant_id: UUID,
        move: Callable[..., Awaitable[Reached | None]],
        stop: asyncio.Event,
        *,
        then: Callable[[Transaction, UUID], Awaitable[None]],
    ) -> None:
        reached: Reached | None = BEGINNING
        moved = 0
        while reached is not None and not stop.is_set():
            async with self._database.statement() as tx:
                reached = await move(tx, tenant_id, after=reached)
            moved += reached.moved if reached else 0
        if moved:
            log.info("jobs.moved", step=move.__name__, count=moved)
        if reached is None:
            async with self._database.statement() as tx:
                await then(tx, tenant_id)
