"""Starts parts, keeps them alive, stops them; leaves nothing behind.

It knows processes and nothing of what they are for: order, ports and settings are
`stack`'s. All children are forked from the main thread, because the kernel ties their
death signal to the thread that forked them.
"""

import asyncio
import os
import subprocess
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from datetime import timedelta

from deploy.local.commands import keep_log_small, last_lines, spawn
from deploy.local.data_folder import DataFolder
from deploy.local.errands import end_now, until
from deploy.local.guardianship import Guardianship
from deploy.local.identity import ProcessIdentity
from deploy.local.parts import Part
from deploy.local.refusals import StackRefused
from deploy.local.restart_pause import LONGEST_PAUSE, RestartPause

OnProgress = Callable[[str, str], None]
_GLANCE = timedelta(seconds=0.1)
_RETRY = timedelta(seconds=1)


@dataclass
class _Child:
    part: Part
    process: subprocess.Popen[bytes]
    pause: RestartPause
    restart_at: float | None = None


class Supervisor:
    def __init__(
        self,
        folder: DataFolder,
        *,
        on_progress: OnProgress,
        longest_pause: timedelta = LONGEST_PAUSE,
    ) -> None:
        self._folder = folder
        self._longest_pause = longest_pause
        self._on_progress = on_progress
        self._guardianship = Guardianship(folder.run_record)
        self._children: dict[str, _Child] = {}

    @property
    def pids(self) -> dict[str, int]:
        return {name: child.process.pid for name, child in self._children.items()}

    async def start(self, part: Part) -> None:
        """Start a part and wait until it serves; raises if it does not."""
        self._on_progress(part.name, "starting")
        self._guardianship.keep_alive()
        child = _Child(part, self._spawn(part), RestartPause(self._longest_pause))
        self._children[part.name] = child
        child.pause.begin(time.monotonic())
        if not await self._becomes_ready(child):
            raise StackRefused(self._why_not_ready(child))
        self._on_progress(part.name, "ready")

    async def watch(
        self, stop: asyncio.Event, *, on_change: Callable[[], object]
    ) -> None:
        """Start anew whatever dies, until told to stop; a full disk ends nothing."""
        is_told = True
        while not stop.is_set():
            try:
                self._guardianship.keep_alive()
                is_told = not self._look_after_all() and is_told
                if not is_told:
                    on_change()
                    is_told = True
            except OSError as error:
                is_told = False
                self._on_progress("supervisor", f"{error}; it is tried again")
            with suppress(TimeoutError):
                await asyncio.wait_for(stop.wait(), _GLANCE.total_seconds())

    async def stop(self, names: list[str]) -> None:
        """Stop these side by side: politely, then for good."""
        known = [self._children[name] for name in names if name in self._children]
        await asyncio.gather(*(self._stop_one(child) for child in known))

    def close(self) -> None:
        """Forget the run; every part has been stopped."""
        self._guardianship.close()

    def _spawn(self, part: Part) -> subprocess.Popen[bytes]:
        process = spawn(part.command, log=self._folder.log(part.name))
        identity = ProcessIdentity.of(
            process.pid, death_signal=part.command.death_signal
        )
        try:
            self._guardianship.tell(part.name, identity)
        except OSError:
            end_now(process)  # nobody would know of it
            raise
        return process

    async def _becomes_ready(self, child: _Child) -> bool:
        async def has_settled() -> bool:
            return child.process.poll() is not None or await child.part.is_ready()

        await until(has_settled, within=child.part.ready_within)
        return child.process.poll() is None and await child.part.is_ready()

    def _why_not_ready(self, child: _Child) -> str:
        log = self._folder.log(child.part.name)
        status = child.process.poll()
        fact = "does not answer" if status is None else f"ended with status {status}"
        return f"{child.part.name} {fact}; the end of {log}:\n{last_lines(log)}"

    def _look_after_all(self) -> bool:
        now = time.monotonic()
        # A list: every child is looked after, not only those before the first restart.
        restarted = [self._look_after(each, now) for each in self._children.values()]
        return any(restarted)

    def _look_after(self, child: _Child, now: float) -> bool:
        """Notice a death, start anew when the pause is over; True if it was started."""
        if child.process.poll() is None:
            keep_log_small(self._folder.log(child.part.name))
            return False
        if child.restart_at is None:
            end_now(child.process)  # what it left in its group
            wait = child.pause.after_death(now)
            child.restart_at = now + wait.total_seconds()
            self._on_progress(child.part.name, f"died, restarts in {wait}")
        if now < child.restart_at:
            return False
        child.restart_at = now + _RETRY.total_seconds()  # should this fail
        child.process, child.restart_at = self._spawn(child.part), None
        child.pause.begin(now)
        self._on_progress(child.part.name, "restarted")
        return True

    async def _stop_one(self, child: _Child) -> None:
        process = child.process
        if process.poll() is None:
            self._on_progress(child.part.name, "stopping")
            with suppress(ProcessLookupError):
                os.kill(process.pid, child.part.stop_signal)
            await until(
                lambda: process.poll() is not None, within=child.part.stop_within
            )
        end_now(process)
        self._children.pop(child.part.name, None)
