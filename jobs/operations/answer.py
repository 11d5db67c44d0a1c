"""Record a realtime answer: the job begins its life as `succeeded`.

A transition of its own (fence 0, attempt 1), with summary, event and deliveries
in the same statement. The text itself is not kept. Coverage is 1: the whole text
stood in the one prompt. With an idempotency key the
reservation must still be ours.
"""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final
from uuid import UUID

from sqlalchemy import text

from jobs.operations.ending import ENDING_EFFECTS
from jobs.operations.submit import NEW_JOBS, NewJob, job_parameters
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
    SELECT * FROM unnest(
        CAST(:ids AS uuid[]), CAST(:started AS timestamptz[]),
        CAST(:finished AS timestamptz[]), CAST(:citations AS bytea[]),
        CAST(:prompt_tokens AS integer[]), CAST(:completion_tokens AS integer[]),
        CAST(:provenance AS jsonb[]), CAST(:warnings AS jsonb[])
    ) AS o (id, started_at, finished_at, citations, prompt_tokens,
            completion_tokens, provenance, warnings)
), changed AS (
    INSERT INTO job (id, tenant_id, state, attempt, deadline, tag, tier, routing_reason,
                     tokens, threshold, characters, options, delivery, metadata,
                     created_at, started_at, finished_at, prompt_tokens,
                     completion_tokens, provenance, coverage, warnings)
    SELECT a.id, a.tenant_id, 'succeeded', 1, a.deadline, 0, a.tier, a.routing_reason,
           a.tokens, a.threshold, a.characters, a.options, a.delivery, a.metadata,
           a.created_at, o.started_at, o.finished_at, o.prompt_tokens,
           o.completion_tokens, o.provenance, 1,
           ARRAY(SELECT jsonb_array_elements_text(o.warnings))
    FROM admitted a JOIN outcome o USING (id)
    RETURNING id, tenant_id, state, version, delivery
), summaries AS (
    INSERT INTO summary (job_id, sealed, fence) SELECT id, sealed, 0 FROM admitted
), cited AS (
    INSERT INTO citation (job_id, sealed)
    SELECT a.id, o.citations FROM admitted a JOIN outcome o USING (id)
    WHERE o.citations IS NOT NULL
), {ENDING_EFFECTS}
SELECT id FROM changed
""")


async def record_answers(tx: Transaction, answers: Sequence[Answer]) -> set[UUID]:
    """Insert finished jobs; gives the ids that were recorded.

    A missing id lost its reservation while the engine worked: its answer must
    not be sent, the caller of the key gets the other call's job.
    """
    parameters = job_parameters([a.job for a in answers])
    parameters |= {
        "reserved": [a.job.idempotency_key is not None for a in answers],
        "sealed": [a.sealed_summary for a in answers],
        "started": [a.started_at for a in answers],
        "finished": [a.finished_at for a in answers],
        "citations": [a.sealed_citations for a in answers],
        "prompt_tokens": [a.prompt_tokens for a in answers],
        "completion_tokens": [a.completion_tokens for a in answers],
        "provenance": [json.dumps(a.provenance) for a in answers],
        "warnings": [json.dumps(a.warnings) for a in answers],
    }
    rows = await tx.execute(_ANSWER, parameters)
    return {row.id for row in rows}
