"""The few threads that rank texts, and the queue before them.

Ranking is CPU work and must not hold up the event loop. Work whose caller leaves is
dropped if it waits; if it runs it ends at its next checkpoint, and its slot counts as
taken until it truly has. All counting is done on the event loop, so there is no lock.
"""

import asyncio
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

from realtime.engine.extractive.ranking import Checkpoint
from realtime.engine.faults import EngineBusy

Result = TypeVar("Result")


class Abandoned(Exception):
    """Raised inside work whose caller has left; it ends the work and nothing else."""


class Slots:
    def __init__(self, count: int, *, max_queued: int) -> None:
        self._free = asyncio.Semaphore(count)
        self._max_queued = max_queued
        self._threads = ThreadPoolExecutor(count, thread_name_prefix="ranking")
        self.waiting_count = 0
        self.running_count = 0

    async def run(self, work: Callable[[Checkpoint], Result]) -> Result:
        """Run `work` in a thread as soon as a slot is free.

        Cancelling the caller abandons the work; `EngineBusy` refuses it.
        """
        await self._take_slot()
        self.running_count += 1
        try:
            return await self._run_in_thread(work)
        finally:
            self.running_count -= 1
            self._free.release()

    def close(self) -> None:
        self._threads.shutdown(wait=False, cancel_futures=True)

    async def _take_slot(self) -> None:
        if self._free.locked() and self.waiting_count >= self._max_queued:
            raise EngineBusy
        self.waiting_count += 1
        try:
            await self._free.acquire()
        finally:
            self.waiting_count -= 1

    async def _run_in_thread(self, work: Callable[[Checkpoint], Result]) -> Result:
        is_abandoned = threading.Event()

        def check() -> None:
            if is_abandoned.is_set():
                raise Abandoned

        loop = asyncio.get_running_loop()
        future = loop.run_in_executor(self._threads, work, check)
        try:
            return await asyncio.shield(future)
        except asyncio.CancelledError:
            is_abandoned.set()
            await asyncio.wait([future])
            future.exception()  # read, or asyncio complains that nobody did
            raise
