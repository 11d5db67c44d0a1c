"""Looks at all jobs again and again and notes what changed since the last look.

So an ending that changed is seen even where the last look finds all in order. It goes
to Postgres directly, past the proxies, and outlives its restarts.
"""

import asyncio
from typing import Any, Final

import psycopg

from tests.chaos.journal import Journal

_PAUSE_SECONDS: Final = 0.3
_LOOK: Final = "SELECT id, state, version, fence, attempt FROM job"
_OPEN: Final = """
SELECT (SELECT count(*) FROM job WHERE state IN ('queued', 'running', 'retry_wait')),
       (SELECT count(*) FROM delivery WHERE state IN ('due', 'sending')),
       (SELECT count(*) FROM outbox)
"""


class Observer:
    def __init__(self, database_url: str, journal: Journal) -> None:
        self._url = database_url
        self._journal = journal
        self._seen: dict[Any, tuple[Any, ...]] = {}
        self.jobs = 0
        self.open: tuple[int, int, int] = (0, 0, 0)
        """Jobs, deliveries and hints that still have to come to their end."""
        self.looks = 0

    async def watch(self) -> None:
        """Until cancelled."""
        while True:
            try:
                await self._watch_while_connected()
            except psycopg.OperationalError:
                await asyncio.sleep(_PAUSE_SECONDS)

    async def _watch_while_connected(self) -> None:
        connection = await psycopg.AsyncConnection.connect(
            self._url, autocommit=True, connect_timeout=2, application_name="observer"
        )
        async with connection:
            while True:
                await self._look(connection)
                await asyncio.sleep(_PAUSE_SECONDS)

    async def _look(self, connection: psycopg.AsyncConnection[Any]) -> None:
        found = await (await connection.execute(_LOOK)).fetchall()
        for job_id, *now in found:
            if self._seen.get(job_id) != tuple(now):
                self._seen[job_id] = tuple(now)
                self._note(job_id.hex, *now)
        self.jobs = len(found)
        self.open = await (await connection.execute(_OPEN)).fetchone() or (0, 0, 0)
        self.looks += 1

    def _note(
        self, job_id: str, state: str, version: int, fence: int, attempt: int
    ) -> None:
        self._journal.write(
            "job",
            id=f"sum_{job_id}",
            state=state,
            version=version,
            fence=fence,
            attempt=attempt,
        )
