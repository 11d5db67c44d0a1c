"""Record a realtime answer: the job begins its life as `succeeded`.

A transition of its own (fence 0, attempt 1), with summary, event and deliveries
in the same statement. The text itself is not kept. Coverage is 1: the whole text
stood in the one prompt. With an idempotency key the
reservation must still be ours.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final
from uuid import UUID

from sqlalchemy import text

from jobs.operations.ending import ENDING_EFFECTS
from jobs.operations.submit import KEY_KEPT, NEW_JOBS, NewJob, job_row
from jobs.store.rows import as_rows
from plumbing.database import Transaction


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    job: NewJob
    started_at: datetime
    finished_at: datetime
    sealed_summary: bytes
    sealed_citations: bytes | None
    prompt_tokens: int | None
    completion_tokens: int | None
    provenance: dict[str, Any]
    warnings: tuple[str, ...]


_ANSWER: Final = text(f"""
WITH {NEW_JOBS}, outcome AS (
    SELECT * FROM json_to_recordset(CAST(:outcomes AS json)) AS o (
        id uuid, started_at timestamptz, finished_at timestamptz, citations_hex text,
        prompt_tokens integer, completion_tokens integer, provenance jsonb,
        warnings text[])
), changed AS (
    INSERT INTO job (id, tenant_id, state, attempt, deadline, tag, tier, routing_reason,
                     tokens, threshold, characters, options, delivery, created_at,
                     started_at, finished_at, prompt_tokens,
                     completion_tokens, provenance, coverage, warnings)
    SELECT a.id, a.tenant_id, 'succeeded', 1, a.deadline, 0, a.tier, a.routing_reason,
           a.tokens, a.threshold, a.characters, a.options, a.delivery, a.created_at,
           o.started_at, o.finished_at, o.prompt_tokens,
           o.completion_tokens, o.provenance, 1, o.warnings
    FROM admitted a JOIN outcome o USING (id)
    RETURNING id, tenant_id, state, version, delivery
), summaries AS (
    INSERT INTO summary (job_id, sealed, fence) SELECT id, sealed, 0 FROM admitted
), cited AS (
    INSERT INTO citation (job_id, sealed)
    SELECT a.id, decode(o.citations_hex, 'hex') FROM admitted a JOIN outcome o USING (id)
    WHERE o.citations_hex IS NOT NULL
), {ENDING_EFFECTS}
SELECT id FROM changed
""")


async def record_answers(tx: Transaction, answers: Sequence[Answer]) -> set[UUID]:
    """Insert finished jobs; gives the ids that were recorded.

    A missing id lost its reservation while the engine worked: its answer must
    not be sent, the caller of the key gets the other call's job.
    """
    rows = await tx.execute(
        _ANSWER,
        {
            "jobs": as_rows(
                [
                    job_row(a.job, reserved=a.job.idempotency_key is not None)
                    for a in answers
                ]
            ),
            "sealed": [a.sealed_summary for a in answers],
            "outcomes": as_rows([_outcome_row(a) for a in answers]),
            "key_kept": KEY_KEPT,
        },
    )
    return {row.id for row in rows}


def _outcome_row(answer: Answer) -> dict[str, object]:
    return {
        "id": answer.job.id,
        "started_at": answer.started_at,
        "finished_at": answer.finished_at,
        "citations_hex": answer.sealed_citations,
        "prompt_tokens": answer.prompt_tokens,
        "completion_tokens": answer.completion_tokens,
        "provenance": answer.provenance,
        "warnings": answer.warnings,
    }
