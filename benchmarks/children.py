"""The processes that are measured, and what the kernel says about them.

Started like those of the local stack: with an environment of their own, ended by the
kernel if the benchmark dies. Each may be bound to a core.
"""

import json
import os
import subprocess
from collections.abc import Collection, Iterable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from typing import Any, Final

import psutil

from deploy.local.commands import Command, last_lines, python_module, spawn
from deploy.local.errands import until
from deploy.local.parts import http_ready, port_ready

SERVER_CORE: Final = 1
CLIENT_CORE: Final = 0
_READY_WITHIN: Final = timedelta(seconds=30)
_STOP_SECONDS: Final = 30


class ChildFailed(Exception):
    """A process ended, or was not ready in time; says what it wrote last."""


@dataclass
class Children:
    """Starts `python -m MODULE` and stops what still runs at the end."""

    folder: Path
    environment: Mapping[str, str] = field(repr=False)

    @contextmanager
    def start(
        self,
        module: str,
        *arguments: str,
        core: int | None = None,
        environment: Mapping[str, str] | None = None,
    ) -> Iterator["Child"]:
        log = self.folder / f"{module}.log"
        command = Command(
            argv=python_module(module, *arguments),
            environment={**self.environment, **(environment or {})},
        )
        child = Child(module, spawn(command, log=log), log)
        if core is not None:
            # At once: threads that are started later stay on the core.
            os.sched_setaffinity(child.pid, {core % (os.cpu_count() or 1)})
        try:
            yield child
        finally:
            child.stop()

    async def ask(
        self, module: str, question: Mapping[str, Any], *, core: int
    ) -> dict[str, Any]:
        """Run a module that reads a JSON file and prints a JSON object."""
        asked = self.folder / f"{module}.question.json"
        asked.touch(mode=0o600)
        asked.write_text(json.dumps(question), encoding="utf-8")
        with self.start(module, str(asked), core=core) as child:
            await until(lambda: child.has_ended, within=timedelta(minutes=10))
            child.require(succeeded=True)
        answer: dict[str, Any] = json.loads(last_lines(child.log, count=1))
        return answer


class Child:
    def __init__(
        self, module: str, process: subprocess.Popen[bytes], log: Path
    ) -> None:
        self.module = module
        self.log = log
        self._process = process

    @property
    def pid(self) -> int:
        return self._process.pid

    @property
    def has_ended(self) -> bool:
        return self._process.poll() is not None

    def require(self, *, succeeded: bool) -> None:
        if not succeeded or self._process.poll() not in {None, 0}:
            written = last_lines(self.log, count=20)
            raise ChildFailed(f"{self.module} failed; the end of its log:\n{written}")

    async def ready(self, port: int, *, path: str | None = None) -> None:
        """Wait until the port answers: with 200 at the path, if one is given."""
        is_ready = http_ready(port, path) if path else port_ready(port)
        self.require(succeeded=await until(is_ready, within=_READY_WITHIN))

    def stop(self) -> None:
        if not self.has_ended:
            self._process.terminate()
        try:
            self._process.wait(_STOP_SECONDS)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()


@contextmanager
def bound(pids: Iterable[int], *, core: int) -> Iterator[None]:
    """Keep processes, with their children and threads, on one core for a while."""
    everywhere = range(os.cpu_count() or 1)
    _bind(pids, {core})
    try:
        yield
    finally:
        _bind(pids, everywhere)


def _bind(pids: Iterable[int], cores: Collection[int]) -> None:
    for pid in pids:
        root = psutil.Process(pid)
        for process in (root, *root.children(recursive=True)):
            with suppress(psutil.NoSuchProcess):
                for thread in process.threads():
                    with suppress(ProcessLookupError):
                        os.sched_setaffinity(thread.id, cores)


def cpu_seconds(pid: int) -> float:
    """Processor time of a process with its children, the ended ones too."""
    process = psutil.Process(pid)
    times = process.cpu_times()
    spent = times.user + times.system + times.children_user + times.children_system
    for child in process.children(recursive=True):
        with suppress(psutil.NoSuchProcess):
            own = child.cpu_times()
            spent += own.user + own.system
    return float(spent)
