"""All that a worker writes about its jobs, gathered into few statements.

Each statement locks its jobs in the order of their ids, so groups that overlap
never wait for each other in a circle. A job that is missing from an answer is no
longer ours: `LeaseLost`, and its caller stops. What concerns a held job is asked again
while Postgres is away, since the fence makes that harmless: an outage is no fault of
the job, and giving up would cost it an attempt.
"""

import asyncio
import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from datetime import timedelta
from functools import partial
from typing import Final, TypeVar
from uuid import UUID

from jobs.errors import LeaseLost
from jobs.lifecycle import State
from jobs.operations.claim import (
    Claim,
    claim,
    find_cancelled,
    goes_first,
    list_claimed,
    renew_leases,
)
from jobs.operations.leave import Departure, leave
from jobs.store.chunk_store import (
    ChunkResult,
    ChunkRow,
    PlannedChunk,
    list_chunks,
    plan_chunks,
    store_results,
)
from jobs.store.content_store import get_text
from jobs.store.worker_store import remove_worker, report_worker
from plumbing.backoff import full_jitter
from plumbing.database import Database, DatabaseUnavailable
from plumbing.failpoints import (
    CHUNKS_STORED,
    ENDING_BEGUN,
    ENDING_COMMITTED,
    JOBS_CLAIMED,
    reach,
)
from plumbing.group_commit import GroupCommit

# A statement costs as much as twenty of its rows, and a batch job has the time.
_LINGER: Final = timedelta(milliseconds=5)
_FIRST_PAUSE: Final = timedelta(milliseconds=50)
_LONGEST_PAUSE: Final = timedelta(seconds=2)
# A stop waits for those who let go: no longer than for a short outage.
_LAST_WORDS: Final = timedelta(seconds=2)

T = TypeVar("T")


class Ledger:
    def __init__(self, database: Database, *, worker_id: str, lease: timedelta) -> None:
        self._database = database
        self._worker_id = worker_id
        self._lease = lease
        self._plans = GroupCommit(self._write_plans, linger=_LINGER)
        self._results = GroupCommit(self._write_results, linger=_LINGER)
        self._departures = GroupCommit(self._write_departures, linger=_LINGER)

    async def claim(self, count: int, *, whole: bool) -> list[Claim]:
        async with self._database.statement() as tx:
            claims = await claim(
                tx,
                count=count,
                worker_id=self._worker_id,
                lease=self._lease,
                whole=whole,
            )
        if claims:
            reach(JOBS_CLAIMED, DatabaseUnavailable)
        return claims

    async def hand_back_all_but(self, known: Mapping[UUID, int]) -> int:
        """Let go of what Postgres says we hold, and we do not know of; tell how much.

        To be asked while no claim is under way.
        """

        async def ask() -> dict[UUID, int]:
            async with self._database.statement() as tx:
                return await list_claimed(tx, worker_id=self._worker_id)

        claimed = await _insist(ask, within=_LAST_WORDS)
        unknown = [
            Departure(id=job_id, fence=fence, wish=State.QUEUED, counts=False)
            for job_id, fence in claimed.items()
            if known.get(job_id) != fence
        ]
        if unknown:
            leave_all = partial(self._write_departures, unknown)
            await _insist(leave_all, within=_LAST_WORDS)
        return len(unknown)

    async def renew(self, claims: Sequence[Claim]) -> dict[UUID, bool]:
        async with self._database.statement() as tx:
            return await renew_leases(tx, claims, lease=self._lease)

    async def find_cancelled(self, ids: Sequence[UUID]) -> set[UUID]:
        async with self._database.statement() as tx:
            return await find_cancelled(tx, ids)

    async def goes_first(self, suspect: Claim) -> bool:
        async def ask() -> bool:
            async with self._database.statement() as tx:
                return await goes_first(tx, suspect, worker_id=self._worker_id)

        return await _insist(ask, within=self._lease)

    async def report(self, *, slots: int) -> None:
        async with self._database.statement() as tx:
            await report_worker(tx, self._worker_id, slots=slots)

    async def sign_off(self) -> None:
        async with self._database.statement() as tx:
            await remove_worker(tx, self._worker_id)

    async def get_sealed_text(self, held: Claim) -> bytes:
        async def ask() -> bytes:
            async with self._database.statement() as tx:
                return await get_text(tx, held.id, fence=held.fence)

        return await _insist(ask, within=self._lease)

    async def list_chunks(self, job_id: UUID) -> list[ChunkRow]:
        async def ask() -> list[ChunkRow]:
            async with self._database.statement() as tx:
                return await list_chunks(tx, job_id)

        return await _insist(ask, within=self._lease)

    async def plan(self, held: Claim, rows: Sequence[ChunkRow]) -> None:
        """Write the rows of a job's next chunks or merges."""
        planned = [PlannedChunk(row=row, fence=held.fence) for row in rows]
        if not await _insist(partial(self._plans.put, planned), within=self._lease):
            raise LeaseLost(str(held.id))

    async def store(self, result: ChunkResult) -> None:
        if not await _insist(partial(self._results.put, result), within=self._lease):
            raise LeaseLost(str(result.job_id))

    async def leave(self, departure: Departure, *, is_farewell: bool = False) -> State:
        """Leave the job; gives the state that it really took.

        Raises LeaseLost too where an earlier word of ours, whose answer was lost, has
        ended it.
        """
        state = await _insist(
            partial(self._departures.put, departure),
            within=_LAST_WORDS if is_farewell else self._lease,
        )
        if state is None:
            raise LeaseLost(str(departure.id))
        return state

    async def _write_plans(self, plans: Sequence[list[PlannedChunk]]) -> list[bool]:
        async with self._database.statement() as tx:
            held = await plan_chunks(tx, [chunk for plan in plans for chunk in plan])
        return [plan[0].row.job_id in held for plan in plans]

    async def _write_results(self, results: Sequence[ChunkResult]) -> list[bool]:
        async with self._database.statement() as tx:
            held = await store_results(tx, results)
        reach(CHUNKS_STORED, DatabaseUnavailable)
        return [result.job_id in held for result in results]

    async def _write_departures(
        self, departures: Sequence[Departure]
    ) -> list[State | None]:
        reach(ENDING_BEGUN, DatabaseUnavailable)
        async with self._database.statement() as tx:
            left = await leave(tx, departures)
        reach(ENDING_COMMITTED, DatabaseUnavailable)
        return [left.get(departure.id) for departure in departures]


async def _insist(ask: Callable[[], Awaitable[T]], *, within: timedelta) -> T:
    """Ask until Postgres answers, or raise its absence; a cancelled caller stops.

    Not for ever: whoever has lost the lease meanwhile is cancelled by the heartbeat.
    """
    end, failures = time.monotonic() + within.total_seconds(), 0
    while True:
        try:
            return await ask()
        except DatabaseUnavailable:
            pause = full_jitter(failures, base=_FIRST_PAUSE, ceiling=_LONGEST_PAUSE)
            if time.monotonic() + pause.total_seconds() > end:
                raise
            await asyncio.sleep(pause.total_seconds())
            failures += 1
