"""A real `python -m notifier`: started, watched through its log, stopped and killed."""

import asyncio
import json
import os
import signal
import sys
import tempfile
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import Any

from tests.fixtures.database import MASTER_KEY, login_url
from tests.waiting import until


class Notifier:
    """A running notifier. Its log is a file: a pipe that nobody reads would stop it."""

    def __init__(self, process: asyncio.subprocess.Process, log: Path) -> None:
        self.process = process
        self._log = log
        self._seen = 0

    @property
    def log(self) -> str:
        return self._log.read_text()

    async def port(self) -> int:
        return int((await self.line("notifier.started"))["health_port"])

    async def line(self, event: str) -> dict[str, Any]:
        """The next line of that name, after the one asked for before."""
        found: list[dict[str, Any]] = []

        async def is_there() -> bool:
            lines = self.log.splitlines()[self._seen :]
            for number, raw in enumerate(lines, start=self._seen + 1):
                with suppress(ValueError):  # half a line, or a trace
                    said = json.loads(raw)
                    if said["event"] == event:
                        self._seen = number
                        found.append(said)
                        return True
            return False

        await until(is_there, what=f"{event} in:\n{self.log}")
        return found[0]

    def signal(self, signum: signal.Signals) -> None:
        self.process.send_signal(signum)

    async def kill(self) -> None:
        self.process.kill()
        await self.process.wait()

    async def ended(self, *, within: float = 25) -> int:
        """Its exit status, once it ends by itself."""
        async with asyncio.timeout(within):
            return await self.process.wait()

    def memory(self) -> int:
        """Bytes of its own: pages of files count for more as others let them go."""
        lines = Path(f"/proc/{self.process.pid}/smaps_rollup").read_text().splitlines()
        (kilobytes,) = (
            line.split()[1] for line in lines if line.startswith("Pss_Anon:")
        )
        return int(kilobytes) * 1024


@asynccontextmanager
async def a_notifier(
    database_url: str, *, stderr: str | None = None, **settings: str
) -> AsyncIterator[Notifier]:
    """`stderr` names another place for the log than a file of the test's own."""
    with tempfile.NamedTemporaryFile(suffix=".log") as kept:
        log = Path(stderr or kept.name)
        with log.open("ab") as output:  # noqa: ASYNC230 - the file is there and local
            process = await asyncio.create_subprocess_exec(
                sys.executable,
                "-m",
                "notifier",
                env={
                    "PATH": os.environ["PATH"],
                    "PRECIS_DATABASE_URL": login_url(database_url, "notifier"),
                    "PRECIS_MASTER_KEY": MASTER_KEY,
                    "PRECIS_WEBHOOK_ALLOW_NETWORKS": "127.0.0.1/32",
                    "PRECIS_LOG_FORMAT": "json",
                    **settings,
                },
                stderr=output,
            )
        try:
            yield Notifier(process, log)
        finally:
            with suppress(ProcessLookupError):
                process.kill()
            await process.wait()
