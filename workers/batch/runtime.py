"""The composition root of the worker's event loop, which lives in a thread of its own.

Celery's threads hand their messages over and wait. Engines may be away when the
process starts: it then reports no slots until they are found. When the loop's main
task breaks, the process is told to end: a worker without it would only swallow hints.
"""

import asyncio
import os
import secrets
import signal
import socket
import threading
from contextlib import suppress
from datetime import timedelta
from typing import Final

import structlog
import uvloop

from jobs.counting import TokenCounter
from jobs.master_key import require_master_key
from jobs.messages.hint import ClaimRequest
from plumbing.database import Database, DatabaseUnavailable
from plumbing.engine_client import EngineClient
from plumbing.engine_discovery import ServedModel, discover
from plumbing.engine_errors import EngineError
from plumbing.engine_pool import EnginePool
from plumbing.health import HealthServer
from plumbing.process import sleep_or_stop
from plumbing.sealing import MasterKey
from plumbing.settings import SettingsRefused
from workers.batch.attempt import Tools
from workers.batch.engine_calls import EngineCalls
from workers.batch.holder import Holder
from workers.batch.ledger import Ledger
from workers.batch.settings import WorkerSettings
from workers.batch.slots import Slots, TextBudget

_DISCOVERY_PAUSE: Final = timedelta(seconds=1)
# Much shorter than the second for which a worker asks Valkey at once: Valkey serves who
# has waited longest, and that must not be the one who has just passed a message on.
_PAUSE_OF_THE_IDLE: Final = timedelta(milliseconds=200)

log = structlog.get_logger()


class EnginesNotFound(Exception):
    """The batch pool has not answered yet; nothing can be claimed."""


class Runtime:
    """Owns the loop thread; `work` is called from Celery's threads."""

    def __init__(self, settings: WorkerSettings, master_key: MasterKey) -> None:
        self._settings = settings
        self._master_key = master_key
        self._loop = uvloop.new_event_loop()
        self._thread = threading.Thread(
            target=self._loop.run_forever, name="work", daemon=True
        )
        self._stop = asyncio.Event()
        self._holder: Holder | None = None
        self._main: asyncio.Task[None] | None = None

    def start(self) -> None:
        self._thread.start()
        asyncio.run_coroutine_threadsafe(self._begin(), self._loop).result()

    def work(self, request: ClaimRequest, *, task_id: str) -> int:
        """See a claim request through; blocks the calling thread meanwhile.

        Gives how many jobs are left to other workers, after a pause: a worker whose
        engines are away is idle, and would take one message after the other.
        """
        work = self._work(request, task_id=task_id)
        return asyncio.run_coroutine_threadsafe(work, self._loop).result()

    def begin_stop(self) -> None:
        """Claim nothing more and let go of what does not finish; returns at once."""
        self._loop.call_soon_threadsafe(self._stop.set)

    def finish_stop(self) -> bool:
        """Wait until everything is let go of and closed; whether nothing broke."""
        self.begin_stop()
        is_sound = asyncio.run_coroutine_threadsafe(self._join(), self._loop).result()
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        return is_sound

    async def _work(self, request: ClaimRequest, *, task_id: str) -> int:
        holder, left = self._holder, request.up_to
        if holder is not None:
            left = await holder.work(request, task_id=task_id)
        if left:
            await sleep_or_stop(self._stop, _PAUSE_OF_THE_IDLE)
        return left

    async def _begin(self) -> None:
        self._main = asyncio.create_task(self._live())
        self._main.add_done_callback(self._end_process_if_broken)

    async def _join(self) -> bool:
        if self._main is None:
            return True
        await asyncio.wait([self._main])
        return self._main.exception() is None

    def _end_process_if_broken(self, main: asyncio.Task[None]) -> None:
        error = main.exception()
        if error is not None:
            if isinstance(error, SettingsRefused):
                log.error("process.refused", reason=str(error))
            else:
                log.error("process.failed", exc_info=error)
            os.kill(os.getpid(), signal.SIGTERM)

    async def _live(self) -> None:
        settings = self._settings
        database = Database(
            settings.database_url.get_secret_value(),
            pool_size=settings.database_pool_size,
            application="precis-worker",
        )
        health = HealthServer(
            settings.health_host,
            settings.health_port,
            checks={"database": database.ping, "engines": self._check_engines},
        )
        await health.start()
        key = settings.engine_api_key
        clients = [
            EngineClient(url, api_key=key.get_secret_value() if key else None)
            for url in settings.batch_engine_urls
        ]
        try:
            served = await self._find_engines(clients)
            await require_master_key(database, self._master_key, stop=self._stop)
            if served is not None:
                await self._serve(database, clients, served)
        finally:
            for client in clients:
                await client.close()
            await health.stop()
            await database.close()

    async def _find_engines(self, clients: list[EngineClient]) -> ServedModel | None:
        while not self._stop.is_set():
            try:
                return await discover(
                    clients,
                    model=self._settings.engine_model,
                    context=self._settings.engine_context,
                )
            except EngineError as error:
                log.warning("engines.not_found", reason=str(error))
            await sleep_or_stop(self._stop, _DISCOVERY_PAUSE)
        return None

    async def _serve(
        self, database: Database, clients: list[EngineClient], served: ServedModel
    ) -> None:
        settings = self._settings
        pool = EnginePool(
            "batch", clients, model=served, max_in_flight_each=settings.engine_calls
        )
        await pool.start()
        counter = TokenCounter(served, clients)
        ledger = Ledger(database, worker_id=_worker_id(), lease=settings.job_lease)
        tools = Tools(
            ledger=ledger,
            calls=EngineCalls(pool, limit=settings.engine_call_limit),
            served=served,
            counter=counter,
            master_key=self._master_key,
            texts=TextBudget(settings.worker_text_budget),
            lease=settings.job_lease,
            soft_limit=settings.job_soft_limit,
        )
        slots = Slots(settings.worker_slots)
        holder = Holder(tools, pool, slots, stop_grace=settings.stop_grace)
        self._holder = holder
        log.info("worker.ready", model=served.name, slots=slots.total)
        await self._beat_until_stopped(holder)
        with suppress(DatabaseUnavailable):  # then it is forgotten by its silence
            await ledger.sign_off()
        await pool.stop()

    async def _beat_until_stopped(self, holder: Holder) -> None:
        """Beat until all that is held has been let go of; a heart that stops raises."""
        is_over = asyncio.Event()
        heartbeat = asyncio.create_task(holder.beat(is_over))
        stopping = asyncio.create_task(self._stop.wait())
        await asyncio.wait({heartbeat, stopping}, return_when=asyncio.FIRST_COMPLETED)
        await holder.stop()
        is_over.set()
        await heartbeat

    async def _check_engines(self) -> None:
        if self._holder is None:
            raise EnginesNotFound


def _worker_id() -> str:
    return f"{socket.gethostname()}:{os.getpid()}:{secrets.token_hex(4)}"
