"""Leave `running`: one statement for finish, failure, retry, hand-back and sweep.

It raises the fence, so whoever still believes to hold the job writes into the
void. A cancel that was asked for and a deadline that passed win over the wish.
Every ending writes its event and deliveries in the same statement. Coverage is
computed here, from the chunk rows (or from the only chunk, which a short text brings
along); the table refuses a success below 1.

The guard is (id, fence) alone: since every leaving raises the fence, the fence
implies the state. Naming the state as well makes the planner take the small
partial index instead of the primary key.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any, Final
from uuid import UUID

from sqlalchemy import text

from jobs.lifecycle import FINAL, MAX_ATTEMPTS, State, sql_list
from jobs.operations.ending import ENDING_EFFECTS
from jobs.store.rows import as_rows
from plumbing.database import Transaction


@dataclass(frozen=True, slots=True, kw_only=True)
class OnlyChunk:
    """The one chunk of a short text, written with the ending and not before."""

    start: int
    end: int
    tokens: int
    sealed: bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class SealedResult:
    """What a success stores; the boxes are sealed with the job's key."""

    summary: bytes
    citations: bytes | None
    prompt_tokens: int | None
    completion_tokens: int | None
    provenance: dict[str, Any]
    warnings: tuple[str, ...] = ()
    only_chunk: OnlyChunk | None = None
    """None: the chunks were planned and stored as rows before."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Departure:
    """How a worker wishes to leave a job it holds."""

    id: UUID
    fence: int
    wish: State
    counts: bool = True
    """False: the job did not cause it, the attempt is given back."""
    retry_after: timedelta = field(default=timedelta(0))
    error_code: str | None = None
    result: SealedResult | None = None


_CHANGE: Final = f"""
SET fence = j.fence + 1, version = j.version + 1, lease_until = NULL, worker_id = NULL,
    state = leaving.state,
    attempt = CASE WHEN leaving.counts OR leaving.state = 'succeeded' THEN j.attempt
                   ELSE greatest(j.attempt - 1, 0) END,
    run_at = CASE WHEN leaving.state = 'retry_wait'
                  THEN statement_timestamp() + leaving.retry_after ELSE j.run_at END,
    tag = CASE WHEN leaving.state = 'queued'
               THEN greatest(j.tag, (SELECT last_value FROM fair_clock))
               ELSE j.tag END,
    finished_at = CASE WHEN leaving.state IN ({sql_list(FINAL)})
                       THEN statement_timestamp() END,
    error_code = CASE WHEN leaving.state = 'failed' THEN leaving.error_code END,
    last_error = CASE WHEN leaving.state = 'retry_wait'
                      THEN coalesce(leaving.error_code, j.last_error) ELSE j.last_error END,
"""

LEAVE_SQL: Final = f"""
WITH given AS (
    SELECT * FROM json_to_recordset(CAST(:departures AS json)) AS g (
        id uuid, fence bigint, wish text, counts boolean, retry_after interval,
        error_code text, summary_hex text, citations_hex text, prompt_tokens integer,
        completion_tokens integer, provenance jsonb, warnings text[],
        chunk_start integer, chunk_end integer, chunk_tokens integer, chunk_hex text)
), leaving AS MATERIALIZED (
    SELECT g.*, CASE WHEN h.cancel_requested THEN 'cancelled'
                     WHEN h.deadline <= statement_timestamp() THEN 'expired'
                     ELSE g.wish END AS state,
           (SELECT coalesce(sum(c.end_offset - c.start_offset),
                            g.chunk_end - g.chunk_start)::float8
            FROM chunk c WHERE c.job_id = g.id AND c.stage = 0 AND c.state = 'done')
           / nullif(h.characters, 0) AS coverage
    FROM given g JOIN job h ON h.id = g.id AND h.fence = g.fence
    ORDER BY g.id FOR NO KEY UPDATE OF h
), changed AS (
    UPDATE job j {_CHANGE}
        prompt_tokens = leaving.prompt_tokens,
        completion_tokens = leaving.completion_tokens,
        provenance = leaving.provenance,
        coverage = CASE WHEN leaving.state = 'succeeded' THEN leaving.coverage END,
        warnings = leaving.warnings
    FROM leaving WHERE j.id = leaving.id AND j.fence = leaving.fence
    RETURNING j.id, j.tenant_id, j.state, j.version, j.delivery, j.fence
), summaries AS (
    INSERT INTO summary (job_id, sealed, fence)
    SELECT c.id, decode(g.summary_hex, 'hex'), g.fence
    FROM changed c JOIN given g USING (id) WHERE c.state = 'succeeded'
), cited AS (
    INSERT INTO citation (job_id, sealed)
    SELECT c.id, decode(g.citations_hex, 'hex') FROM changed c JOIN given g USING (id)
    WHERE c.state = 'succeeded' AND g.citations_hex IS NOT NULL
), only_chunks AS (
    INSERT INTO chunk (job_id, stage, idx, start_offset, end_offset, tokens, state,
                       sealed, prompt_tokens, completion_tokens, fence, done_at)
    SELECT c.id, 0, 0, g.chunk_start, g.chunk_end, g.chunk_tokens, 'done',
           decode(g.chunk_hex, 'hex'), g.prompt_tokens, g.completion_tokens, g.fence,
           statement_timestamp()
    FROM changed c JOIN given g USING (id)
    WHERE c.state = 'succeeded' AND g.chunk_hex IS NOT NULL
), {ENDING_EFFECTS}
SELECT id, state FROM changed
"""
_LEAVE: Final = text(LEAVE_SQL)  # made once: that costs more than most rows


async def leave(tx: Transaction, departures: Sequence[Departure]) -> dict[UUID, State]:
    """Leave the jobs; gives the state each one really took.

    A missing id was no longer ours: nothing of it was written.
    """
    rows = await tx.execute(
        _LEAVE, {"departures": as_rows([_row(d) for d in departures])}
    )
    return {row.id: State(row.state) for row in rows}


def _row(departure: Departure) -> dict[str, object]:
    row: dict[str, object] = {
        "id": departure.id,
        "fence": departure.fence,
        "wish": departure.wish,
        "counts": departure.counts,
        "retry_after": departure.retry_after,
        "error_code": departure.error_code,
        "warnings": (),
    }
    result = departure.result
    if result is not None:
        row |= {
            "summary_hex": result.summary,
            "citations_hex": result.citations,
            "prompt_tokens": result.prompt_tokens,
            "completion_tokens": result.completion_tokens,
            "provenance": result.provenance,
            "warnings": result.warnings,
        }
        if result.only_chunk is not None:
            row |= {
                "chunk_start": result.only_chunk.start,
                "chunk_end": result.only_chunk.end,
                "chunk_tokens": result.only_chunk.tokens,
                "chunk_hex": result.only_chunk.sealed,
            }
    return row


MOST_SWEPT: Final = 100
SUSPECT_AFTER: Final = 2
"""Nearly all workers are lost to other causes than a job: the first says nothing yet."""

SWEEP_SQL: Final = f"""
WITH leaving AS MATERIALIZED (
    SELECT h.id, h.fence, counted.counts, CAST(:pause AS interval) AS retry_after,
           CASE WHEN h.cancel_requested THEN 'cancelled'
                WHEN h.deadline <= statement_timestamp() THEN 'expired'
                WHEN h.attempt >= {MAX_ATTEMPTS} AND counted.counts THEN 'failed'
                ELSE 'retry_wait' END AS state,
           'worker_lost' AS error_code
    FROM job h
    -- An attempt that stored a new chunk got somewhere: it does not count.
    CROSS JOIN LATERAL (SELECT NOT EXISTS (
        SELECT 1 FROM chunk c WHERE c.job_id = h.id AND c.fence = h.fence) AS counts
    ) counted
    WHERE h.state = 'running'
      AND (h.lease_until < statement_timestamp() OR h.deadline <= statement_timestamp())
    LIMIT {MOST_SWEPT} FOR NO KEY UPDATE OF h SKIP LOCKED
), changed AS (
    UPDATE job j {_CHANGE}
        suspect = leaving.counts AND j.attempt >= {SUSPECT_AFTER}
            AND j.lease_until < statement_timestamp()
    FROM leaving WHERE j.id = leaving.id AND j.fence = leaving.fence
    RETURNING j.id, j.tenant_id, j.state, j.version, j.delivery
), {ENDING_EFFECTS}
SELECT id, state FROM changed
"""


async def sweep_lapsed(tx: Transaction, *, pause: timedelta) -> dict[UUID, State]:
    """Take up to 100 jobs away from workers that lost them or ran out of time.

    They wait `pause` before the next attempt, or end as `worker_lost` after the
    fifth; two sweepers never take the same job.
    """
    rows = await tx.execute(text(SWEEP_SQL), {"pause": pause})
    return {row.id: State(row.state) for row in rows}
