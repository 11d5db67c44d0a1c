"""A Postgres of the test's own, which may be frozen, killed, stopped and started again.

The session's server serves other tests, so it must not be touched. The data lies where
the session's does; the launcher is the local stack's.
"""

import signal
from pathlib import Path
from typing import Final

import psutil

from deploy.local.data_folder import open_folder
from deploy.local.port_choice import choose_ports
from deploy.local.postgres_server import NAME, PostgresServer
from deploy.local.secret_files import SecretFiles
from deploy.local.supervisor import Supervisor
from migrations.upgrade import upgrade

_PATIENCE: Final = 20


class OwnPostgres:
    def __init__(self, root: Path) -> None:
        folder = open_folder(root)
        self._server = PostgresServer(
            folder=folder,
            port=choose_ports((NAME,), kept_in=folder.ports, demanded={})[NAME],
            password=SecretFiles(folder.secrets).postgres_password,
        )
        self._supervisor = Supervisor(folder, on_progress=lambda _name, _state: None)
        self.url = self._server.url()

    async def make(self) -> None:
        """Start it for the first time, with our tables in it."""
        await self.start()
        upgrade(self.url)

    async def start(self) -> None:
        await self._supervisor.start(await self._server.prepare())

    async def restore(self) -> None:
        """Whatever a test did: it runs again and answers."""
        if self._living():
            self.thaw()
        else:
            await self._supervisor.stop([NAME])  # forgets the dead child
            await self.start()

    def freeze(self) -> None:
        """All of its processes stand still; connections stay open and say nothing."""
        self._signal(signal.SIGSTOP)

    def thaw(self) -> None:
        self._signal(signal.SIGCONT)

    async def kill(self) -> None:
        """As by a power cut: none of its processes does anything any more."""
        living = self._living()
        self._signal(signal.SIGKILL)
        psutil.wait_procs(living, timeout=_PATIENCE)
        await self._supervisor.stop([NAME])

    async def stop(self) -> None:
        """Politely: it ends the sessions and writes all down."""
        await self._supervisor.stop([NAME])

    async def close(self) -> None:
        if self._living():
            self.thaw()
        await self.stop()
        self._supervisor.close()

    def _signal(self, number: signal.Signals) -> None:
        for process in self._living():
            process.send_signal(number)

    def _living(self) -> list[psutil.Process]:
        """The postmaster first, so that no child is born behind the back."""
        pid = self._supervisor.pids.get(NAME)
        if pid is None or not psutil.pid_exists(pid):
            return []
        postmaster = psutil.Process(pid)
        if postmaster.status() == psutil.STATUS_ZOMBIE:
            return []
        return [postmaster, *postmaster.children(recursive=True)]
