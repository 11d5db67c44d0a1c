"""Our processes under chaos: started, watched, started anew at once when they die.

Like an orchestrator without patience: no growing pause, since here it is us who kill.
What a process was started with stays what it is started with. Whether it ended by
itself or was killed is told in the journal of faults.
"""

import asyncio
import os
import signal
import subprocess
import time
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from typing import Final

from deploy.local.commands import Command, python_module, spawn
from deploy.local.errands import end_now, until
from deploy.local.parts import http_ready, port_ready
from tests.chaos.journal import Journal

_GLANCE_SECONDS: Final = 0.1
_PAUSE_SECONDS: Final = 0.3
_READY_WITHIN: Final = timedelta(seconds=60)
STOP_WITHIN: Final = timedelta(seconds=30)


@dataclass
class Child:
    """One process of ours, through all its lives."""

    name: str
    command: Command
    log: Path
    port: int
    health_path: str | None
    process: subprocess.Popen[bytes] | None = None
    died_at: float | None = None
    killed: bool = False
    lives: int = 0

    @property
    def pid(self) -> int | None:
        alive = self.process is not None and self.process.poll() is None
        return self.process.pid if alive and self.process else None

    def start(self) -> None:
        self.process, self.died_at, self.killed = (
            spawn(self.command, log=self.log),
            None,
            False,
        )
        self.lives += 1

    def signal(self, number: int) -> bool:
        """Whether there was somebody to signal."""
        pid = self.pid
        if pid is None:
            return False
        with suppress(ProcessLookupError):
            os.kill(pid, number)
        self.killed = self.killed or number == signal.SIGKILL
        return True

    async def is_ready(self) -> bool:
        if self.pid is None:
            return False
        path = self.health_path
        question = http_ready(self.port, path) if path else port_ready(self.port)
        return await question()


@dataclass
class Keeper:
    """To be used from the main thread: the kernel's death signal follows it."""

    logs: Path
    journal: Journal
    children: dict[str, Child] = field(default_factory=dict)
    own_ends: list[str] = field(default_factory=list)
    """Processes that ended though nobody had killed them."""
    _is_keeping: bool = True

    def add(
        self,
        name: str,
        module: str,
        *arguments: str,
        environment: Mapping[str, str],
        port: int,
        health_path: str | None = "/readyz",
    ) -> None:
        command = Command(
            argv=python_module(module, *arguments), environment=environment
        )
        child = Child(name, command, self.logs / f"{name}.log", port, health_path)
        self.children[name] = child
        child.start()

    async def ready(self) -> None:
        """Wait until all of them serve."""

        async def all_ready() -> bool:
            answers = [await child.is_ready() for child in self.children.values()]
            return all(answers)

        if not await until(all_ready, within=_READY_WITHIN):
            late = [c.name for c in self.children.values() if not await c.is_ready()]
            raise AssertionError(f"not ready: {', '.join(late)}; logs in {self.logs}")

    async def keep(self) -> None:
        """Start anew what dies, until `stop`."""
        while self._is_keeping:
            for child in self.children.values():
                self._look_after(child)
            await asyncio.sleep(_GLANCE_SECONDS)

    async def stop(self) -> dict[str, float]:
        """Ask all to stop; gives how long each took. Who does not is killed."""
        self._is_keeping = False
        began = time.monotonic()
        took: dict[str, float] = {}
        for child in self.children.values():
            child.signal(signal.SIGCONT)
            child.signal(signal.SIGTERM)

        def all_ended() -> bool:
            for child in self.children.values():
                if child.pid is None:
                    took.setdefault(child.name, round(time.monotonic() - began, 2))
            return len(took) == len(self.children)

        await until(all_ended, within=STOP_WITHIN)
        for child in self.children.values():
            if child.process is not None:
                end_now(child.process)
        return took

    def _look_after(self, child: Child) -> None:
        now = time.monotonic()
        if child.process is None or child.process.poll() is None:
            return
        if child.died_at is None:
            child.died_at = now
            if not child.killed:
                told = f"{child.name} ended with {child.process.returncode}"
                self.own_ends.append(told)
                self.journal.write("ended", target=child.name, what=told)
        elif now - child.died_at >= _PAUSE_SECONDS:
            child.start()
