"""The embedded engine as a process that may be killed, stopped, frozen and started."""

import asyncio
import signal
from collections.abc import Iterator
from contextlib import contextmanager

from tests.faults.proxy import Proxy
from tests.fixtures.processes import Process, Processes


class OwnEngine:
    def __init__(self, processes: Processes, port: int, line: Proxy) -> None:
        self._processes = processes
        self._port = port
        self._process: Process | None = None
        self.line = line
        self.url = f"http://127.0.0.1:{line.port}"

    async def start(self) -> None:
        self._process = self._processes.start(
            *("realtime.engine", "--profile", "embedded", "--port", str(self._port))
        )
        health = f"http://127.0.0.1:{self._port}/health"
        await asyncio.to_thread(self._process.wait_ready, health)

    async def mend(self) -> None:
        """Whatever a test did."""
        self.line.heal()
        await self.line.reset()
        await self.line.accept()
        if self._process is None:
            await self.start()

    async def kill(self) -> None:
        process = self._living()
        self._process = None
        process.send_signal(signal.SIGKILL)
        await asyncio.to_thread(process.wait)

    async def stop(self) -> int:
        """Politely; gives how it ended."""
        process = self._living()
        self._process = None
        return await asyncio.to_thread(process.stop)

    @contextmanager
    def frozen(self) -> Iterator[None]:
        self._living().send_signal(signal.SIGSTOP)
        try:
            yield
        finally:
            self.restore()

    def restore(self) -> None:
        self._living().send_signal(signal.SIGCONT)

    def _living(self) -> Process:
        assert self._process is not None, "the engine is down"
        return self._process
