"""Heals by the clock: lapsed leases, ended pauses, passed deadlines, lost hints.

It writes nothing per waiting job. For jobs that come back to the queue it sends
wake-ups straight to Celery. When others are due and there has been room for a while,
hints were lost, and it does the same for them: at most `room` at once. So the loss of
all Kafka and Valkey delays a job by seconds, and a million waiting jobs cause no storm.
"""

import asyncio
import time
from collections.abc import Awaitable, Callable
from datetime import timedelta
from functools import partial
from typing import Final

import structlog

from jobs.messages.hint import split_claims
from jobs.operations.leave import MOST_SWEPT, sweep_lapsed
from jobs.operations.wait import MOST_WAITING, expire_overdue, wake_due
from jobs.store.worker_store import read_load
from plumbing.database import Database, DatabaseUnavailable, Transaction
from plumbing.repeating import repeat_while_locked
from workers.dispatcher import metrics
from workers.dispatcher.broker import Broker, BrokerUnavailable
from workers.dispatcher.room import find_room, message_size

_STANDBY: Final = timedelta(seconds=2)

log = structlog.get_logger()


class ReconcilerLoop:
    def __init__(
        self,
        database: Database,
        broker: Broker,
        *,
        interval: timedelta,
        patience: timedelta,
        pause_after_loss: timedelta,
    ) -> None:
        """Take the pace of healing.

        `patience` is how long due jobs and free room may meet before hints count as
        lost, `pause_after_loss` how long a job rests when its worker was lost.
        """
        self._database = database
        self._broker = broker
        self._interval = interval
        self._patience = patience.total_seconds()
        self._pause_after_loss = pause_after_loss
        self._idle_room_since: float | None = None
        self._woken = 0
        """Jobs that came back to the queue: their hints are spent, nobody sends more."""

    async def run(self, stop: asyncio.Event) -> None:
        await repeat_while_locked(
            self.run_once,
            lock=partial(self._database.session_lock, "reconciler"),
            standby=_STANDBY,
            name="reconciler",
            rest=self._interval,
            stop=stop,
            outages=(DatabaseUnavailable,),
        )

    async def run_once(self, connection: Transaction) -> bool:
        """Sweep over the lock's own connection: who has lost it sweeps no more."""
        await self._sweep(connection)
        try:
            await self._replace_lost_hints()
        except BrokerUnavailable as error:
            # The sweeps go on without Valkey.
            log.warning("loop.outage", loop="reconciler", error=str(error))
        return False

    async def _sweep(self, connection: Transaction) -> None:
        lapsed = await _until_none_left(
            partial(self._sweep_lapsed, connection), full=MOST_SWEPT
        )
        woken = await _until_none_left(partial(wake_due, connection), full=MOST_WAITING)
        expired = await _until_none_left(
            partial(_expire, connection), full=MOST_WAITING
        )
        self._woken += woken
        metrics.JOBS_SWEPT.inc(lapsed)
        if lapsed or expired:
            log.info("jobs.swept", lapsed=lapsed, woken=woken, expired=expired)

    async def _sweep_lapsed(self, tx: Transaction) -> int:
        return len(await sweep_lapsed(tx, pause=self._pause_after_loss))

    async def _replace_lost_hints(self) -> None:
        waiting = await self._broker.count_waiting()
        async with self._database.statement() as tx:
            load = await read_load(tx, enough=1000)
        wanted = min(load.due, find_room(load, waiting_messages=waiting))
        self._woken = min(self._woken, load.due)
        now = time.monotonic()
        if wanted == 0:
            self._idle_room_since = None
            return
        if self._idle_room_since is None:
            self._idle_room_since = now
        if now - self._idle_room_since >= self._patience:
            self._idle_room_since = None
            await self._send(wanted, workers=load.workers)
            metrics.HINTS_REPLACED.inc(wanted)
            log.info("hints.replaced", count=wanted)
        elif self._woken:
            await self._send(min(wanted, self._woken), workers=load.workers)

    async def _send(self, count: int, *, workers: int) -> None:
        size = message_size(count, workers=workers)
        await self._broker.send(split_claims((), count=count, size=size))
        self._woken = max(0, self._woken - count)


async def _until_none_left(step: Callable[[], Awaitable[int]], *, full: int) -> int:
    """Repeat a step while it finds as many as it takes at once; gives them all."""
    total = 0
    while True:
        found = await step()
        total += found
        if found < full:
            return total


async def _expire(tx: Transaction) -> int:
    return len(await expire_overdue(tx))
