"""Callers that wait for the end of a job: one query for all of them.

However many requests wait, the database is asked once per interval, and not at
all while nobody waits. The watcher tells only that a job has ended; reading it,
and checking whose it is, stays with the request.
"""

import asyncio
from contextlib import suppress
from datetime import timedelta
from typing import Final
from uuid import UUID

import structlog

from jobs.lifecycle import FINAL, State
from jobs.store.job_store import find_states
from plumbing.database import Database, DatabaseUnavailable

_INTERVAL: Final = timedelta(milliseconds=250)
_log = structlog.get_logger()


class Watcher:
    """Shared by all requests of a gateway; begins to ask with the first waiter."""

    def __init__(self, database: Database, *, interval: timedelta = _INTERVAL) -> None:
        self._database = database
        self._interval = interval.total_seconds()
        self._waiting: dict[UUID, set[asyncio.Future[State | None]]] = {}
        self._loop: asyncio.Task[None] | None = None
        self._is_stopped = False

    async def wait_final(self, job_id: UUID, timeout: timedelta) -> State | None:  # noqa: ASYNC109 - a span of waiting is what the caller asks for
        """The state in which the job ended; None: not within the time, or we stop."""
        if self._is_stopped:
            return None
        future: asyncio.Future[State | None] = asyncio.Future()
        self._waiting.setdefault(job_id, set()).add(future)
        self._start()
        try:
            async with asyncio.timeout(timeout.total_seconds()):
                return await future
        except TimeoutError:
            return None
        finally:
            self._forget(job_id, future)

    def stop(self) -> None:
        """Let every waiter go at once, so that a stopping process need not wait."""
        self._is_stopped = True
        for futures in self._waiting.values():
            _resolve(futures, None)

    async def close(self) -> None:
        """Ask no more; the database may be closed after this."""
        self.stop()
        if self._loop is not None:
            self._loop.cancel()
            with suppress(asyncio.CancelledError):
                await self._loop

    def _start(self) -> None:
        if self._loop is None or self._loop.done():
            self._loop = asyncio.create_task(self._run(), name="watcher")

    def _forget(self, job_id: UUID, future: asyncio.Future[State | None]) -> None:
        futures = self._waiting.get(job_id, set())
        futures.discard(future)
        if not futures:
            self._waiting.pop(job_id, None)

    async def _run(self) -> None:
        while self._waiting:
            try:
                await self._ask()
            except DatabaseUnavailable:
                # The waiters have time limits of their own; the next round may do.
                _log.warning("watcher.unavailable", waiting=len(self._waiting))
            await asyncio.sleep(self._interval)

    async def _ask(self) -> None:
        async with self._database.statement() as tx:
            states = await find_states(tx, list(self._waiting))
        for job_id, state in states.items():
            if state in FINAL:
                _resolve(self._waiting.get(job_id, set()), state)


def _resolve(futures: set[asyncio.Future[State | None]], state: State | None) -> None:
    for future in futures:
        if not future.done():
            future.set_result(state)
