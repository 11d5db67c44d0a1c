"""Chunks at rest: planned as rows, their results stored under the fence.

Every write first locks the job row FOR SHARE under its fence, so that no chunk
survives an erasure or outlives a lost lease. Offsets only, never source text.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final
from uuid import UUID

from sqlalchemy import text

from jobs.store.rows import as_rows
from plumbing.database import Transaction


@dataclass(frozen=True, slots=True, kw_only=True)
class ChunkRow:
    """A piece of the text (stage 0) or a merge of results (stage 1 and up)."""

    job_id: UUID
    stage: int
    idx: int
    start: int
    end: int
    tokens: int
    sealed: bytes | None = None
    prompt_tokens: int | None = None
    completion_tokens: int | None = None

    @property
    def is_done(self) -> bool:
        return self.sealed is not None


@dataclass(frozen=True, slots=True, kw_only=True)
class PlannedChunk:
    row: ChunkRow
    fence: int


@dataclass(frozen=True, slots=True, kw_only=True)
class ChunkResult:
    job_id: UUID
    fence: int
    stage: int
    idx: int
    sealed: bytes
    prompt_tokens: int | None
    completion_tokens: int | None


_HELD: Final = """
held AS MATERIALIZED (
    SELECT j.id, j.fence FROM job j
    JOIN (SELECT DISTINCT job_id, fence FROM given) g
      ON j.id = g.job_id AND j.fence = g.fence
    WHERE j.lease_until > statement_timestamp()
    ORDER BY j.id FOR SHARE OF j
)"""

_PLAN: Final = f"""
WITH given AS (
    SELECT * FROM json_to_recordset(CAST(:chunks AS json)) AS g (
        job_id uuid, fence bigint, stage smallint, idx integer, start_offset integer,
        end_offset integer, tokens integer)
), {_HELD}, planned AS (
    INSERT INTO chunk (job_id, stage, idx, start_offset, end_offset, tokens)
    SELECT g.job_id, g.stage, g.idx, g.start_offset, g.end_offset, g.tokens
    FROM given g JOIN held h ON h.id = g.job_id AND h.fence = g.fence
    ON CONFLICT (job_id, stage, idx) DO NOTHING
)
SELECT id FROM held
"""


async def plan_chunks(tx: Transaction, chunks: Sequence[PlannedChunk]) -> set[UUID]:
    """Write the rows; gives the jobs that are still ours."""
    rows = await tx.execute(
        text(_PLAN),
        {
            "chunks": as_rows(
                [
                    {
                        "job_id": c.row.job_id,
                        "fence": c.fence,
                        "stage": c.row.stage,
                        "idx": c.row.idx,
                        "start_offset": c.row.start,
                        "end_offset": c.row.end,
                        "tokens": c.row.tokens,
                    }
                    for c in chunks
                ]
            )
        },
    )
    return {row.id for row in rows}


_STORE: Final = f"""
WITH given AS (
    SELECT * FROM json_to_recordset(CAST(:results AS json)) AS g (
        job_id uuid, fence bigint, stage smallint, idx integer, sealed_hex text,
        prompt_tokens integer, completion_tokens integer)
), {_HELD}, stored AS (
    UPDATE chunk c
    SET state = 'done', sealed = decode(g.sealed_hex, 'hex'), fence = g.fence,
        done_at = statement_timestamp(),
        prompt_tokens = g.prompt_tokens, completion_tokens = g.completion_tokens
    FROM given g JOIN held h ON h.id = g.job_id AND h.fence = g.fence
    WHERE c.job_id = g.job_id AND c.stage = g.stage AND c.idx = g.idx
      AND c.state = 'planned'
)
SELECT id FROM held
"""


async def store_results(tx: Transaction, results: Sequence[ChunkResult]) -> set[UUID]:
    """Store results under their fences; gives the jobs that are still ours.

    A result that is there already stays as it is: a chunk is done once.
    """
    rows = await tx.execute(
        text(_STORE),
        {
            "results": as_rows(
                [
                    {
                        "job_id": r.job_id,
                        "fence": r.fence,
                        "stage": r.stage,
                        "idx": r.idx,
                        "sealed_hex": r.sealed,
                        "prompt_tokens": r.prompt_tokens,
                        "completion_tokens": r.completion_tokens,
                    }
                    for r in results
                ]
            )
        },
    )
    return {row.id for row in rows}


_LIST: Final = """
SELECT job_id, stage, idx, start_offset, end_offset, tokens, sealed,
       prompt_tokens, completion_tokens
FROM chunk WHERE job_id = :job ORDER BY stage, idx
"""


async def list_chunks(tx: Transaction, job_id: UUID) -> list[ChunkRow]:
    """All chunks and merges of a job, in document order by stage."""
    return [
        ChunkRow(
            job_id=row.job_id,
            stage=row.stage,
            idx=row.idx,
            start=row.start_offset,
            end=row.end_offset,
            tokens=row.tokens,
            sealed=row.sealed,
            prompt_tokens=row.prompt_tokens,
            completion_tokens=row.completion_tokens,
        )
        for row in await tx.execute(text(_LIST), {"job": job_id})
    ]
