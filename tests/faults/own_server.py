"""A Valkey and a Kafka of the test's own, which may be frozen, killed, emptied, choked.

Those of the session serve other tests, so they must not be touched. The launchers are
the local stack's; a Kafka names a proxy as its address, for its clients come back to
the address that it names, whatever way they came.
"""

import os
import resource
import shutil
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final

import psutil

from deploy.local.data_folder import DataFolder
from deploy.local.kafka_server import KafkaServer
from deploy.local.parts import HOST, Part, Server
from deploy.local.supervisor import Supervisor

_PATIENCE: Final = 20
# What asks for more is refused by the kernel with an error, not ended by its signal.
_UNHARMED_BY_LIMITS: Final = ("/bin/sh", "-c", "trap '' XFSZ; exec \"$@\"", "sh")


@dataclass(frozen=True, kw_only=True)
class KafkaBehindProxy(KafkaServer):
    advertised_port: int

    def _properties(self, home: Path) -> str:
        name = "advertised.listeners=PLAINTEXT://"
        return (
            super()
            ._properties(home)
            .replace(f"{name}{self.bootstrap}", f"{name}{HOST}:{self.advertised_port}")
        )


class OwnServer:
    """One server, from the first start through all that is done to it."""

    def __init__(
        self, server: Server, *, name: str, supervisor: Supervisor, folder: DataFolder
    ) -> None:
        self._server = server
        self._name = name
        self._supervisor = supervisor
        self._folder = folder

    async def start(self) -> None:
        await self._supervisor.start(_unharmed(await self._server.prepare()))

    async def stop(self) -> None:
        """Politely."""
        await self._supervisor.stop([self._name])

    async def kill(self) -> None:
        """As by a power cut."""
        process = psutil.Process(self._pid)
        process.send_signal(signal.SIGKILL)
        psutil.wait_procs([process], timeout=_PATIENCE)
        await self._supervisor.stop([self._name])  # forgets the dead child

    async def restore(self) -> None:
        """Whatever a test did: it runs, and may write."""
        if self._is_living():
            os.kill(self._pid, signal.SIGCONT)
            self._let_write(resource.RLIM_INFINITY)
        else:
            await self.stop()
            await self.start()

    async def has_ended(self) -> bool:
        """By itself, as some do that cannot write."""
        return not self._is_living()

    @property
    def home(self) -> Path:
        """Where all that it keeps is."""
        return self._folder.of(self._name)

    def empty(self, *names: str) -> None:
        """Throw its data away; only while it is down."""
        for name in names:
            shutil.rmtree(self.home / name)

    @contextmanager
    def frozen(self) -> Iterator[None]:
        """It stands still: connections stay open and say nothing."""
        os.kill(self._pid, signal.SIGSTOP)
        try:
            yield
        finally:
            os.kill(self._pid, signal.SIGCONT)

    @contextmanager
    def without_room(self) -> Iterator[None]:
        """No file of it can grow: to its writes the same as a disk that is full."""
        self._let_write(1)
        try:
            yield
        finally:
            if self._is_living():
                self._let_write(resource.RLIM_INFINITY)

    @property
    def _pid(self) -> int:
        return self._supervisor.pids[self._name]

    def _is_living(self) -> bool:
        pid = self._supervisor.pids.get(self._name)
        if pid is None or not psutil.pid_exists(pid):
            return False
        return psutil.Process(pid).status() != psutil.STATUS_ZOMBIE

    def _let_write(self, most: int) -> None:
        _, hard = resource.prlimit(self._pid, resource.RLIMIT_FSIZE)
        resource.prlimit(self._pid, resource.RLIMIT_FSIZE, (most, hard))


def _unharmed(part: Part) -> Part:
    command = part.command
    argv = (*_UNHARMED_BY_LIMITS, *command.argv)
    return replace(part, command=replace(command, argv=argv))
