"""Accept a job into the batch tier: one statement for a whole group of submissions.

In one transaction: the idempotency key, the job with its fair tag, the sealed
text and its key, and the outbox hint. A submission whose key is already taken
is left out, and the caller looks up who holds it.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final
from uuid import UUID

from sqlalchemy import text

from jobs.store.pause_store import ASIDE, PAUSED_TENANTS
from jobs.store.rows import as_rows
from plumbing.database import Transaction

KEY_KEPT: Final = timedelta(hours=72)


@dataclass(frozen=True, slots=True, kw_only=True)
class NewJob:
    """What admission knows of a job, whichever tier it takes."""

    id: UUID
    tenant_id: UUID
    tier: str
    routing_reason: str
    tokens: int
    threshold: int
    characters: int
    options: dict[str, Any]
    delivery: dict[str, Any] | None
    metadata: dict[str, str]
    deadline: datetime
    wrapped_key: bytes
    idempotency_key: str | None
    fingerprint: bytes | None
    created_at: datetime | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Submission:
    job: NewJob
    sealed_text: bytes
    reserved: bool
    """The key is ours already: a realtime call is handed over to batch."""


NEW_JOBS: Final = """
given AS (
    SELECT g.*, decode(g.wrapped_hex, 'hex') AS wrapped,
           decode(g.fingerprint_hex, 'hex') AS fingerprint
    FROM ROWS FROM (
        json_to_recordset(CAST(:jobs AS json)) AS (
            id uuid, tenant_id uuid, tier text, routing_reason text, tokens integer,
            threshold integer, characters integer, options jsonb, delivery jsonb,
            metadata jsonb, deadline timestamptz, wrapped_hex text, key text,
            fingerprint_hex text, created_at timestamptz, reserved boolean),
        unnest(CAST(:sealed AS bytea[]))
    ) AS g (id, tenant_id, tier, routing_reason, tokens, threshold, characters, options,
            delivery, metadata, deadline, wrapped_hex, key, fingerprint_hex, created_at,
            reserved, sealed)
), keyed AS (
    INSERT INTO idempotency_key (tenant_id, key, fingerprint, job_id, expires_at)
    SELECT tenant_id, key, fingerprint, id, statement_timestamp() + CAST(:key_kept AS interval)
    FROM given WHERE key IS NOT NULL AND NOT reserved
    ORDER BY tenant_id, key
    ON CONFLICT (tenant_id, key) DO NOTHING
    RETURNING job_id
), confirmed AS (
    -- A reservation that lapsed and was taken over by another call is not ours.
    UPDATE idempotency_key k
    SET lease_until = NULL, expires_at = statement_timestamp() + CAST(:key_kept AS interval)
    FROM given WHERE given.reserved
      AND k.tenant_id = given.tenant_id AND k.key = given.key AND k.job_id = given.id
    RETURNING k.job_id
), admitted AS (
    SELECT * FROM given WHERE key IS NULL
       OR id IN (SELECT job_id FROM keyed) OR id IN (SELECT job_id FROM confirmed)
), keys_kept AS (
    INSERT INTO job_key (job_id, wrapped) SELECT id, wrapped FROM admitted
), labelled AS (
    INSERT INTO job_metadata (tenant_id, key, value, job_id)
    SELECT tenant_id, pair.key, pair.value, id
    FROM admitted CROSS JOIN jsonb_each_text(metadata) pair
)"""

_SUBMIT: Final = text(f"""
WITH {NEW_JOBS}, cost AS (
    SELECT a.id, a.tenant_id, octet_length(a.sealed) AS bytes,
           ceil(greatest(a.tokens, 1) / t.weight)::bigint AS cost,
           CASE WHEN t.id = ANY ({PAUSED_TENANTS}) THEN {ASIDE} ELSE 0 END AS aside
    FROM admitted a JOIN tenant t ON t.id = a.tenant_id
), lanes AS MATERIALIZED (
    -- Always in this order, or two gateways could wait for each other.
    SELECT tenant_id FROM lane
    WHERE tenant_id IN (SELECT tenant_id FROM cost) ORDER BY tenant_id FOR UPDATE
), moved AS (
    UPDATE lane l
    SET tail = greatest(l.tail, (SELECT last_value FROM fair_clock)) + total.cost,
        admitted_jobs = l.admitted_jobs + total.jobs,
        admitted_bytes = l.admitted_bytes + total.bytes
    FROM (SELECT tenant_id, sum(cost)::bigint AS cost, count(*) AS jobs,
                 sum(bytes) AS bytes
          FROM cost JOIN lanes USING (tenant_id) GROUP BY tenant_id) total
    WHERE l.tenant_id = total.tenant_id
    RETURNING l.tenant_id, l.tail - total.cost AS start
), tagged AS (
    SELECT c.id, c.bytes, (m.start + sum(c.cost) OVER (PARTITION BY c.tenant_id ORDER BY c.id)
                  - c.cost)::bigint + c.aside AS tag
    FROM cost c JOIN moved m USING (tenant_id)
), jobs AS (
    INSERT INTO job (id, tenant_id, state, deadline, tag, tier, routing_reason, tokens,
                     threshold, characters, options, delivery, created_at, text_bytes)
    SELECT a.id, a.tenant_id, 'queued', a.deadline, tagged.tag, a.tier,
           a.routing_reason, a.tokens, a.threshold, a.characters, a.options,
           a.delivery, coalesce(a.created_at, statement_timestamp()), tagged.bytes
    FROM admitted a JOIN tagged USING (id)
    RETURNING id
), inputs AS (
    INSERT INTO job_input (job_id, sealed) SELECT id, sealed FROM admitted
), hints AS (
    INSERT INTO outbox (job_id) SELECT id FROM admitted
)
SELECT id FROM jobs
""")


async def submit(tx: Transaction, submissions: Sequence[Submission]) -> set[UUID]:
    """Insert the jobs; gives the ids that were admitted.

    A missing id had an idempotency key that is taken (or a reservation that was
    taken over): nothing of it was written.
    """
    rows = await tx.execute(
        _SUBMIT,
        {
            "jobs": as_rows([job_row(s.job, reserved=s.reserved) for s in submissions]),
            "sealed": [s.sealed_text for s in submissions],
            "key_kept": KEY_KEPT,
        },
    )
    return {row.id for row in rows}


def job_row(job: NewJob, *, reserved: bool) -> dict[str, object]:
    """What `NEW_JOBS` reads of a job, beside what was sealed."""
    return {
        "id": job.id,
        "tenant_id": job.tenant_id,
        "tier": job.tier,
        "routing_reason": job.routing_reason,
        "tokens": job.tokens,
        "threshold": job.threshold,
        "characters": job.characters,
        "options": job.options,
        "delivery": job.delivery,
        "metadata": job.metadata,
        "deadline": job.deadline,
        "wrapped_hex": job.wrapped_key,
        "key": job.idempotency_key,
        "fingerprint_hex": job.fingerprint,
        "created_at": job.created_at,
        "reserved": reserved,
    }
