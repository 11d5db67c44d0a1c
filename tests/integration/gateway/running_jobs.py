"""Jobs at work, as a worker leaves them behind: chunks done, and ends of every kind."""

from datetime import timedelta
from uuid import UUID

from jobs.lifecycle import State
from jobs.operations.claim import claim
from jobs.operations.leave import Departure, SealedResult, leave
from jobs.store.chunk_store import (
    ChunkResult,
    ChunkRow,
    PlannedChunk,
    plan_chunks,
    store_results,
)
from jobs.store.content_store import find_wrapped_key
from jobs.store.sealed import JobSeal
from plumbing.database import Database
from plumbing.sealing import MasterKey
from tests.builders import TenantForTests, a_job, rows
from tests.fixtures.database import MASTER_KEY

TEXT = "The first half of it. The other half."
HALF = len("The first half of it. ")


class RunningJob:
    """A job of two chunks under a lease; the test decides how far it gets."""

    def __init__(self, database: Database, job_id: UUID, fence: int) -> None:
        self.id = job_id
        self.shown = f"sum_{job_id.hex}"
        self._database = database
        self._fence = fence

    @classmethod
    async def start(cls, database: Database, tenant: TenantForTests) -> "RunningJob":
        job_id = await a_job(database, tenant, text=TEXT, tokens=40_000)
        # Others that wait would be claimed first.
        async with database.transaction() as tx:
            claims = await claim(
                tx,
                count=10_000,
                worker_id="worker-of-the-tests",
                lease=timedelta(seconds=60),
                whole=True,
            )
        fences = {claimed.id: claimed.fence for claimed in claims}
        others = [
            Departure(id=other, fence=fence, wish=State.QUEUED, counts=False)
            for other, fence in fences.items()
            if other != job_id
        ]
        if others:
            async with database.statement() as tx:
                await leave(tx, others)
        job = cls(database, job_id, fences[job_id])
        await job._plan()
        return job

    async def finish_chunk(self, idx: int) -> None:
        seal = await self._seal()
        result = ChunkResult(
            job_id=self.id,
            fence=self._fence,
            stage=0,
            idx=idx,
            sealed=seal.seal_chunk(f"Section {idx}.", stage=0, idx=idx),
            prompt_tokens=10,
            completion_tokens=5,
        )
        async with self._database.statement() as tx:
            assert await store_results(tx, [result]) == {self.id}

    async def succeed(self, summary: str) -> None:
        for idx in range(2):
            await self.finish_chunk(idx)
        seal = await self._seal()
        citation = {
            "sentence_index": 0,
            "sentence_start": 0,
            "sentence_end": 5,
            "source_start": 0,
            "source_end": 21,
            "score": 1.0,
        }
        result = SealedResult(
            summary=seal.seal_summary(summary),
            citations=seal.seal_citations([citation]),
            prompt_tokens=20,
            completion_tokens=10,
            provenance={"model": "precis-extractive"},
        )
        await self._leave(State.SUCCEEDED, result=result)

    async def fail(self, error_code: str) -> None:
        await self._leave(State.FAILED, error_code=error_code)

    async def stop(self) -> None:
        """As a worker that hears of a cancel request: whatever it wished for."""
        await self._leave(State.QUEUED)

    async def _leave(
        self,
        wish: State,
        *,
        error_code: str | None = None,
        result: SealedResult | None = None,
    ) -> None:
        departure = Departure(
            id=self.id,
            fence=self._fence,
            wish=wish,
            error_code=error_code,
            result=result,
        )
        async with self._database.statement() as tx:
            assert self.id in await leave(tx, [departure])

    async def _plan(self) -> None:
        bounds = ((0, HALF), (HALF, len(TEXT)))
        planned = [
            PlannedChunk(
                row=ChunkRow(
                    job_id=self.id, stage=0, idx=idx, start=start, end=end, tokens=9
                ),
                fence=self._fence,
            )
            for idx, (start, end) in enumerate(bounds)
        ]
        async with self._database.statement() as tx:
            assert await plan_chunks(tx, planned) == {self.id}

    async def _seal(self) -> JobSeal:
        async with self._database.statement() as tx:
            wrapped = await find_wrapped_key(tx, self.id)
        assert wrapped is not None
        return JobSeal.unwrap(self.id, wrapped, MasterKey(MASTER_KEY))


async def erase_contents(database: Database, job_id: UUID) -> None:
    """What an erasure leaves: the job without key, summary and chunks."""
    for table in ("job_key", "summary", "citation", "chunk"):
        await rows(
            database,
            f"DELETE FROM {table} WHERE job_id = :id RETURNING job_id",
            id=job_id,
        )
