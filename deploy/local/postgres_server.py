"""A real Postgres as the supervisor's own child, from the binaries of a Python package.

It listens on 127.0.0.1 alone, asks for a password and keeps every promise about disks
(fsync stays on). Tables are none of its business: migrations make them.
"""

import signal
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

from deploy.local.commands import Command
from deploy.local.data_folder import DataFolder
from deploy.local.parts import HOST, IsReady, Part
from deploy.local.postgres_cluster import (
    binary,
    drop_stale_lock,
    make_cluster,
    make_home,
    server_user,
)

NAME = "postgres"
USER = "precis"  # also the name of the database
LOGINS = ("gateway", "worker", "dispatcher", "notifier", "operator")
_STATUS_LINE = 7  # of postmaster.pid


@dataclass(frozen=True, kw_only=True)
class PostgresServer:
    folder: DataFolder
    port: int
    password: str = field(repr=False)

    def url(self, database: str = USER) -> str:
        return f"postgresql://{USER}:{self.password}@{HOST}:{self.port}/{database}"

    def login_url(self, kind: str, password: str) -> str:
        """The address for one of `LOGINS`, who may do no more than its role."""
        user = f"precis_{kind}_login"
        return f"postgresql://{user}:{password}@{HOST}:{self.port}/{USER}"

    async def prepare(self) -> Part:
        """Make the cluster if there is none yet; tell how to run it."""
        home, user = self.folder.of(NAME), server_user()
        make_home(home, user)
        cluster = home / "cluster"
        if not cluster.exists():
            await make_cluster(
                cluster,
                user=user,
                superuser=USER,
                password=self.password,
                log=self.folder.log(NAME),
            )
        drop_stale_lock(cluster)
        return Part(
            name=NAME,
            command=Command(
                argv=(str(binary(NAME)), "-D", str(cluster), *self._options()),
                folder=home,
                run_as=user,
                # At once: a checkpoint may outlast the five seconds that are left.
                death_signal=signal.SIGQUIT,
            ),
            is_ready=_takes_connections(cluster / "postmaster.pid"),
            stop_signal=signal.SIGINT,  # "fast": end the sessions, write all down
        )

    def _options(self) -> tuple[str, ...]:
        options = {
            "listen_addresses": HOST,
            "port": self.port,
            "unix_socket_directories": "",
            "shared_buffers": "64MB",
            # More than the limits of all logins together.
            "max_connections": 200,
            # A terse message leaves out the values of the row that it is about.
            "log_error_verbosity": "terse",
        }
        return tuple(f"--{name}={value}" for name, value in options.items())


def _takes_connections(status_file: Path) -> IsReady:
    """Believe the server's own word: the port answers while it still recovers."""

    async def is_ready() -> bool:
        return _status(status_file) == "ready"

    return is_ready


def _status(status_file: Path) -> str:
    with suppress(OSError):
        lines = status_file.read_text(encoding="utf-8").splitlines()
        if len(lines) > _STATUS_LINE:
            return lines[_STATUS_LINE].strip()
    return ""
