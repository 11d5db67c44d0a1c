"""The work on one chunk or merge: recall it, or ask the engine, seal and store.

What is stored stays stored: an attempt that comes later opens it instead of asking
again. Every write goes through the ledger, under the claim's fence.
"""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import Final

from jobs.asking import Question
from jobs.operations.claim import Claim
from jobs.store.chunk_store import ChunkResult, ChunkRow
from jobs.store.sealed import JobSeal
from workers.batch import metrics
from workers.batch.engine_calls import EngineCalls
from workers.batch.ledger import Ledger

_CALLS_PER_JOB: Final = 16


@dataclass(frozen=True, slots=True)
class Done:
    """A finished chunk or merge, opened."""

    row: ChunkRow
    text: str
    prompt_tokens: int
    completion_tokens: int


class ChunkWork:
    def __init__(
        self,
        held: Claim,
        seal: JobSeal,
        *,
        ledger: Ledger,
        calls: EngineCalls,
        on_progress: Callable[[], Awaitable[None]] | None = None,
    ) -> None:
        self._held = held
        self._on_progress = on_progress
        self._seal = seal
        self._ledger = ledger
        self._calls = calls
        self.stored = 0
        """How many results this attempt has stored."""

    async def do_all(
        self, rows: Sequence[ChunkRow], question: Callable[[ChunkRow], Question | str]
    ) -> list[Done]:
        """Finish all rows, many at a time; gives them in their order.

        `question` tells what to ask about a row, or the text that needs no asking.
        """
        seats = asyncio.Semaphore(_CALLS_PER_JOB)

        async def do(row: ChunkRow) -> Done:
            if row.sealed is not None:
                return self._recall(row, row.sealed)
            async with seats:
                return await self._store(await self._answer(row, question(row)))

        if len(rows) == 1:
            return [await do(rows[0])]
        async with asyncio.TaskGroup() as group:
            tasks = [group.create_task(do(row)) for row in rows]
        return [task.result() for task in tasks]

    async def do_only(self, row: ChunkRow, question: Question | str) -> Done:
        """Finish a text's only chunk; it is stored with the ending, not here."""
        done = await self._answer(row, question)
        metrics.CHUNKS_DONE.inc()
        return done

    def _recall(self, row: ChunkRow, sealed: bytes) -> Done:
        return Done(
            row,
            self._seal.open_chunk(sealed, stage=row.stage, idx=row.idx),
            row.prompt_tokens or 0,
            row.completion_tokens or 0,
        )

    async def _answer(self, row: ChunkRow, question: Question | str) -> Done:
        if isinstance(question, str):
            return Done(row, question, 0, 0)
        held = self._held
        completion = await self._calls.ask(
            question,
            request_id=f"{held.id.hex}:{held.fence}:{row.stage}.{row.idx}",
        )
        return Done(
            row,
            completion.text.strip(),
            completion.prompt_tokens or 0,
            completion.completion_tokens or 0,
        )

    async def _store(self, done: Done) -> Done:
        row = done.row
        await self._ledger.store(
            ChunkResult(
                job_id=row.job_id,
                fence=self._held.fence,
                stage=row.stage,
                idx=row.idx,
                sealed=self._seal.seal_chunk(done.text, stage=row.stage, idx=row.idx),
                prompt_tokens=done.prompt_tokens,
                completion_tokens=done.completion_tokens,
            )
        )
        self.stored += 1
        metrics.CHUNKS_DONE.inc()
        if self._on_progress is not None:
            await self._on_progress()
        return done
