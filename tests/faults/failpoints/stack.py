"""The batch tier and two notifiers as real processes, kept warm from test to test.

Servers and engine are the session's and the test's own; our processes are armed by
putting a file into a folder, and whoever was killed is started anew by the test.
"""

import asyncio
import itertools
import signal
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final
from uuid import UUID, uuid4

import psutil

from jobs.operations.submit import submit
from plumbing.database import Database
from plumbing.failpoints import Action, Point
from tests.builders import TenantForTests, a_submission, rows
from tests.chaos.checker import check
from tests.chaos.evidence import CLIENT
from tests.chaos.journal import Journal
from tests.faults.failpoints.expected import Kind
from tests.fixtures.processes import Process, Processes
from tests.waiting import until

LEASE_SECONDS: Final = 2
_MODULES: Final[dict[Kind, str]] = {
    "dispatcher": "workers.dispatcher",
    "worker": "workers.batch",
    "notifier": "notifier",
}
# A word for the log that a process writes when it learns that it was too slow.
REFUSED: Final = ("job.lease_lost", "delivery.lost")
_OPEN: Final = """
SELECT (SELECT count(*) FROM job WHERE id = ANY(:ids) AND finished_at IS NULL)
     + (SELECT count(*) FROM delivery
        WHERE job_id = ANY(:ids) AND state IN ('due', 'sending'))
     + (SELECT count(*) FROM outbox)
"""
_HELD: Final = """
SELECT id, fence, (SELECT count(*) FROM chunk c
                   WHERE c.job_id = j.id AND c.fence = j.fence) AS stored
FROM job j WHERE state = 'running' AND split_part(worker_id, ':', 2) = :pid
"""
_TAKEN_OVER: Final = """
SELECT count(*) FROM job WHERE id = ANY(:ids) AND (finished_at IS NOT NULL
    OR state = 'running' AND split_part(worker_id, ':', 2) <> :pid)
"""


@dataclass(frozen=True)
class Held:
    """A job that a process held when the fault struck it."""

    id: UUID
    fence: int
    stored: int
    """How many chunks this very attempt has stored."""


@dataclass
class Stack:
    database: Database
    database_url: str
    tenant: TenantForTests
    environment: dict[str, str]
    processes: Processes
    folder: Path
    """Of the journals."""
    receiver_port: int
    gate: asyncio.Event
    """Closed (cleared), the engine answers nobody."""
    running: dict[Kind, list[Process]] = field(default_factory=dict)
    changes: dict[Kind, dict[str, str]] = field(default_factory=dict)
    """What the processes of a kind are told beside the environment."""
    _numbers: "itertools.count[int]" = field(default_factory=itertools.count)

    def __post_init__(self) -> None:
        self._faults = Path(self.environment["PRECIS_FAILPOINTS"])
        self._journal = Journal(self.folder / CLIENT)

    async def start(self, kind: Kind) -> None:
        told = self.environment | self.changes.get(kind, {})
        process = self.processes.start(_MODULES[kind], environment=told)
        self.running.setdefault(kind, []).append(process)
        # In a thread: the engine that the process looks for is served by this loop.
        await asyncio.to_thread(process.wait_ready)

    async def replace(self, kind: Kind, dead: Process) -> None:
        """What a supervisor does about a process that died."""
        self.running[kind].remove(dead)
        await self.start(kind)

    async def tell(self, kind: Kind, **changes: str) -> None:
        """Restart the processes of a kind with other settings, where they differ."""
        if self.changes.get(kind, {}) == changes:
            return
        self.changes[kind] = changes
        for process in list(self.running[kind]):
            assert await asyncio.to_thread(process.stop) == 0
            await self.replace(kind, process)

    async def heal(self) -> None:
        """Undo what a test that failed has left, or the next would fail for it."""
        for left in self._faults.iterdir():
            left.unlink()
        self.gate.set()
        for kind, processes in self.running.items():
            for process in list(processes):
                process.send_signal(signal.SIGCONT)
                if process.has_ended:
                    await self.replace(kind, process)

    async def stop(self) -> list[int]:
        """End all processes as an operator would; gives how they ended."""
        all_running = [each for kind in self.running.values() for each in kind]
        self.running.clear()
        ends = (asyncio.to_thread(process.stop) for process in all_running)
        return list(await asyncio.gather(*ends))

    def arm(self, point: Point, action: Action) -> None:
        """Whoever passes the point next is struck."""
        unseen = self._faults / f"new-{next(self._numbers)}"
        unseen.write_text(f"{action} 1 {unseen.name}")
        unseen.rename(self._faults / point)

    async def struck(self, point: Point) -> Process:
        """Wait for the fault; gives the process that it met."""
        found: list[Path] = []

        async def has_struck() -> bool:
            found[:] = self._faults.glob(f"{point}.*")
            return bool(found)

        await until(has_struck, seconds=30, what=f"nobody reached {point}")
        pid = int(found[0].suffix[1:])
        found[0].unlink()
        return next(
            process
            for processes in self.running.values()
            for process in processes
            if process.pid == pid
        )

    async def submit(self, *texts: str) -> list[UUID]:
        """Accept the jobs in one transaction; each tells the webhook receiver."""
        url = f"http://127.0.0.1:{self.receiver_port}/hook"
        submissions = []
        for text in texts:
            key = uuid4().hex
            self._journal.write("attempt", key=key)
            submissions.append(
                a_submission(
                    self.tenant.id,
                    text=text,
                    metadata={"key": key},
                    delivery={"webhook_url": url, "webhook_lane": "host:127.0.0.1"},
                )
            )
        async with self.database.statement() as tx:
            accepted = await submit(tx, submissions)
        for each in submissions:
            assert each.job.id in accepted
            key = each.job.metadata["key"]
            self._journal.write("acknowledged", key=key, id=_shown(each.job.id))
        return [each.job.id for each in submissions]

    async def held(self, process: Process) -> list[Held]:
        """The jobs in this process's hands, as Postgres knows them."""
        found = await rows(self.database, _HELD, pid=str(process.pid))
        return [Held(*row) for row in found]

    async def count_stored(self, held: Held) -> int:
        counted = "SELECT count(*) FROM chunk WHERE job_id = :id AND fence = :fence"
        found = await rows(self.database, counted, id=held.id, fence=held.fence)
        return int(found[0][0])

    async def wait_frozen(self, process: Process) -> None:
        async def is_stopped() -> bool:
            return psutil.Process(process.pid).status() == psutil.STATUS_STOPPED

        await until(is_stopped, seconds=5, what="not frozen")

    async def wait_for_lease(self) -> None:
        """Until a lease that was renewed just now is over, by the database's clock."""
        [(now,)] = await rows(self.database, "SELECT clock_timestamp()")
        over = (
            "SELECT clock_timestamp() > CAST(:now AS timestamptz)"
            " + make_interval(secs => :lease)"
        )

        async def is_over() -> bool:
            found = await rows(self.database, over, now=now, lease=LEASE_SECONDS)
            return bool(found[0][0])

        await until(is_over)

    async def wait_taken_over(self, jobs: Sequence[UUID], *, victim: Process) -> None:
        """Until each of the jobs runs in another process, or has ended."""
        who = {"ids": list(jobs), "pid": str(victim.pid)}

        async def are_taken() -> bool:
            found = await rows(self.database, _TAKEN_OVER, **who)
            return bool(found[0][0] == len(jobs))

        await until(are_taken, what="nobody took the sleeper's jobs over")

    async def wake(self, process: Process, *, finds_refused: bool) -> None:
        """End a freeze; with `finds_refused`, wait until the process was told so."""
        before = _refusals(process)
        process.send_signal(signal.SIGCONT)

        async def was_refused() -> bool:
            return _refusals(process) > before

        if finds_refused:
            await until(was_refused, what="the sleeper was not refused")
        await asyncio.to_thread(process.wait_ready)

    async def wait_quiet(self, jobs: Sequence[UUID]) -> None:
        """Until the jobs have ended, their receivers were told and no hint is left."""

        async def nothing_open() -> bool:
            found = await rows(self.database, _OPEN, ids=list(jobs))
            return bool(found[0][0] == 0)

        await until(nothing_open, seconds=40, what="jobs or deliveries are left")

    def judge(self, jobs: Sequence[UUID]) -> None:
        """What the checker of the chaos runs finds about these jobs must be nothing."""
        report, ours = check(self.database_url, self.folder), set(map(_shown, jobs))
        broken = [each for each in report.violations if each.job in {None, *ours}]
        assert not broken, "\n".join([*map(str, broken), *report.stories])

    async def attempts(self, ids: Sequence[UUID]) -> dict[UUID, int]:
        found = "SELECT id, attempt FROM job WHERE id = ANY(:ids)"
        return dict(map(tuple, await rows(self.database, found, ids=list(ids))))

    async def deliveries(self, ids: Sequence[UUID]) -> list[Any]:
        """For each delivery: its tries by its own count, and those written down."""
        counted = (
            "SELECT attempt, (SELECT count(*) FROM delivery_attempt a"
            " WHERE a.delivery_id = d.id) AS noted"
            " FROM delivery d WHERE job_id = ANY(:ids)"
        )
        return await rows(self.database, counted, ids=list(ids))


def _shown(job_id: UUID) -> str:
    return f"sum_{job_id.hex}"


def _refusals(process: Process) -> int:
    log = process.log.read_text(errors="replace")
    return sum(log.count(word) for word in REFUSED)
