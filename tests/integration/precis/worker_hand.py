"""A worker's hand: ends jobs by the operations that real workers use, when told to.

The command line is tested without Kafka and Celery; what it sees of a job is the same.
"""

from uuid import UUID

from jobs.lifecycle import State
from jobs.operations.claim import Claim
from jobs.operations.leave import Departure, SealedResult, leave
from jobs.store.chunk_store import (
    ChunkResult,
    ChunkRow,
    PlannedChunk,
    plan_chunks,
    store_results,
)
from jobs.store.sealed import JobSeal
from plumbing.database import Database
from plumbing.sealing import MasterKey
from tests.builders import claim_jobs
from tests.fixtures.database import MASTER_KEY

SUMMARY = "Electric buses come in spring."


class WorkerHand:
    def __init__(self, database: Database) -> None:
        self._database = database
        self._held: dict[UUID, Claim] = {}

    async def take(self, job_id: UUID) -> None:
        """Claim all that is due, and read the first half of this one."""
        for claimed in await claim_jobs(self._database, count=100):
            self._held[claimed.id] = claimed
        claimed = self._held[job_id]
        half = claimed.characters // 2
        await self._plan(claimed, (0, half), (half, claimed.characters))
        await self._read(claimed, index=0)

    async def succeed(self, job_id: UUID) -> None:
        claimed = self._held.pop(job_id)
        await self._read(claimed, index=1)
        seal = _seal(claimed)
        citation = {
            "sentence_index": 0,
            "sentence_start": 0,
            "sentence_end": len(SUMMARY),
            "source_start": 0,
            "source_end": 36,
            "score": 0.9,
        }
        result = SealedResult(
            summary=seal.seal_summary(SUMMARY),
            citations=seal.seal_citations([citation]),
            prompt_tokens=20,
            completion_tokens=5,
            provenance={"model": "m"},
        )
        await self._leave(claimed, State.SUCCEEDED, result=result)

    async def fail(self, job_id: UUID) -> None:
        claimed = self._held.pop(job_id)
        await self._leave(claimed, State.FAILED, error_code="model_output_invalid")

    async def _plan(self, claimed: Claim, *spans: tuple[int, int]) -> None:
        planned = [
            PlannedChunk(
                row=ChunkRow(
                    job_id=claimed.id, stage=0, idx=i, start=a, end=b, tokens=1
                ),
                fence=claimed.fence,
            )
            for i, (a, b) in enumerate(spans)
        ]
        async with self._database.statement() as tx:
            await plan_chunks(tx, planned)

    async def _read(self, claimed: Claim, *, index: int) -> None:
        sealed = _seal(claimed).seal_chunk(f"Section {index}.", stage=0, idx=index)
        result = ChunkResult(
            job_id=claimed.id,
            fence=claimed.fence,
            stage=0,
            idx=index,
            sealed=sealed,
            prompt_tokens=10,
            completion_tokens=2,
        )
        async with self._database.statement() as tx:
            await store_results(tx, [result])

    async def _leave(
        self,
        claimed: Claim,
        wish: State,
        *,
        result: SealedResult | None = None,
        error_code: str | None = None,
    ) -> None:
        departure = Departure(
            id=claimed.id,
            fence=claimed.fence,
            wish=wish,
            result=result,
            error_code=error_code,
        )
        async with self._database.statement() as tx:
            assert await leave(tx, [departure]) == {claimed.id: wish}


def _seal(claimed: Claim) -> JobSeal:
    return JobSeal.unwrap(claimed.id, claimed.wrapped_key, MasterKey(MASTER_KEY))
