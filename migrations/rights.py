"""Who may do what in the database: the rights of each role, as one page of data.

Every `precis migrate` takes all rights away and grants these (`granting`). Whoever adds
a table, a sequence or a new kind of access adds its line here; a test tries everything
that is not listed, and each has to be refused. The roles cannot log in: each process
has a login of its own that belongs to one of them (`logins`).

    precis_gateway      admits: knows keys, writes jobs and sealed texts, reads none back
    precis_caller       what the gateway becomes to read and cancel for a tenant; sees
                        the rows of that tenant alone (`PRIVATE`)
    precis_worker       claims, reads texts, writes chunks, summaries and endings
    precis_dispatcher   relays, sweeps, forgets: the only process that deletes at large
    precis_notifier     sends: knows signing secrets, never a text or a job's key
    precis_operator     `precis admin` and its like: everything but the texts

A line is what stands in a GRANT before ON. Whoever ends a job writes its event and
deliveries and is checked to have done so, hence `_ENDING`; a row that is locked FOR
UPDATE or SHARE needs the right to update at least one of its columns.
"""

from collections.abc import Mapping
from typing import Final

Rights = dict[str, str]

CALLER: Final = "precis_caller"

_LEAVE: Final = (
    "UPDATE (state, fence, version, attempt, lease_until, worker_id, run_at, tag,"
    " started_at, finished_at, prompt_tokens, completion_tokens, provenance, coverage,"
    " warnings, error_code, last_error, suspect)"
)
_ENDING: Final[Rights] = {
    "event": "INSERT, SELECT (id, job_id, tenant_id, type)",
    "delivery": "INSERT",
    "webhook_endpoint": "SELECT (id, tenant_id, state)",
    "summary": "SELECT (job_id)",
}

RIGHTS: Final[Mapping[str, Rights]] = {
    "precis_gateway": _ENDING
    | {
        "api_key": "SELECT",
        "tenant": "SELECT (id, weight)",
        "pause": "SELECT",
        "canary": "SELECT",
        "idempotency_key": "SELECT, INSERT, UPDATE, DELETE",
        "lane": "SELECT, UPDATE (tail, admitted_jobs, admitted_bytes)",
        "fair_clock": "SELECT",
        "job": "INSERT, SELECT (id, tenant_id, state, version, delivery, text_bytes)",
        "job_metadata": "INSERT",
        "job_key": "INSERT",
        "job_input": "INSERT",
        "summary": "INSERT, SELECT (job_id)",
        "citation": "INSERT",
        "outbox": "INSERT",
    },
    CALLER: {
        "job": "SELECT, UPDATE (state, fence, version, cancel_requested, finished_at,"
        " lease_until, worker_id, erased_at)",
        "job_metadata": "SELECT, DELETE",
        "job_key": "SELECT, DELETE",
        "job_input": "SELECT (job_id), DELETE",
        "chunk": "SELECT, DELETE",
        "summary": "SELECT, DELETE",
        "citation": "SELECT, DELETE",
        "erasure": "SELECT, INSERT",
        "event": "SELECT, INSERT, UPDATE (holds, body)",
        "delivery": "SELECT, INSERT, UPDATE (state, fence, finished_at)",
        "delivery_attempt": "SELECT",
        "webhook_endpoint": "SELECT, INSERT,"
        " UPDATE (state, secret, secret_previous, rotated_at, disabled_reason,"
        " failing_since)",
    },
    "precis_worker": _ENDING
    | {
        "job": f"SELECT, {_LEAVE}",
        "fair_clock": "SELECT, UPDATE",
        "pause": "SELECT",
        "canary": "SELECT",
        "job_key": "SELECT",
        "job_input": "SELECT",
        "chunk": "SELECT, INSERT,"
        " UPDATE (state, sealed, fence, done_at, prompt_tokens, completion_tokens)",
        "summary": "INSERT, SELECT (job_id)",
        "citation": "INSERT",
        "worker_process": "SELECT, INSERT, UPDATE, DELETE",
    },
    "precis_dispatcher": _ENDING
    | {
        "job": f"SELECT, {_LEAVE}, UPDATE (erased_at)",
        "fair_clock": "SELECT",
        "pause": "SELECT, UPDATE (step), DELETE",
        # A resumed tenant's jobs get new places in line, and hints.
        "tenant": "SELECT (id, weight)",
        "lane": "SELECT, UPDATE (tail)",
        "chunk": "SELECT (job_id, fence, stage, state), DELETE",
        "job_input": "SELECT (job_id), DELETE",
        "job_metadata": "SELECT (job_id, key, value), DELETE",
        "job_key": "SELECT (job_id), DELETE",
        "summary": "SELECT (job_id), DELETE",
        "citation": "SELECT (job_id), DELETE",
        "outbox": "SELECT, INSERT, DELETE",
        "worker_process": "SELECT, DELETE",
        "idempotency_key": "SELECT, DELETE, UPDATE (expires_at)",
        # Retention, and ages and counts for its metrics.
        "event": "INSERT, SELECT, UPDATE (holds, body), DELETE",
        "delivery": "INSERT, SELECT (id, job_id, state, lane, next_at, finished_at),"
        " DELETE",
        "delivery_attempt": "SELECT (delivery_id), DELETE",
    },
    "precis_notifier": {
        "delivery": "SELECT, UPDATE (state, fence, attempt, next_at, lease_until,"
        " last_code, last_error, doubts, finished_at)",
        "delivery_attempt": "SELECT, INSERT",
        "event": "SELECT, UPDATE (body)",
        "notice": "SELECT, INSERT, UPDATE",
        "webhook_endpoint": "SELECT, UPDATE (state, disabled_reason, failing_since)",
        "tenant": "SELECT (id, name, owner_email, webhook_secret,"
        " webhook_secret_previous, webhook_secret_rotated_at)",
        "job": "SELECT",
        "job_metadata": "SELECT (job_id, key, value)",
        "chunk": "SELECT (job_id, stage, state)",
        "canary": "SELECT",
    },
    "precis_operator": {
        "tenant": "SELECT, INSERT, UPDATE",
        "lane": "SELECT, INSERT",
        "api_key": "SELECT, INSERT, UPDATE (revoked_at)",
        "job": f"SELECT, {_LEAVE}, UPDATE (cancel_requested, erased_at)",
        "fair_clock": "SELECT",
        "job_metadata": "SELECT, DELETE",
        "job_key": "SELECT, UPDATE (wrapped), DELETE",
        "job_input": "SELECT (job_id), DELETE",
        "chunk": "SELECT (job_id, stage, idx, start_offset, end_offset, tokens, state,"
        " prompt_tokens, completion_tokens, fence, done_at), DELETE",
        "summary": "SELECT (job_id, fence, created_at), DELETE",
        "citation": "SELECT (job_id), DELETE",
        "outbox": "SELECT, INSERT",
        "worker_process": "SELECT",
        "idempotency_key": "SELECT",
        "webhook_endpoint": "SELECT, UPDATE",
        "event": "SELECT, INSERT, UPDATE (holds, body)",
        "erasure": "SELECT, INSERT",
        "delivery": "SELECT, INSERT, UPDATE (state, fence, finished_at)",
        "delivery_attempt": "SELECT",
        "notice": "SELECT",
        "pause": "SELECT, INSERT, UPDATE, DELETE",
        "audit": "SELECT, INSERT",
        "canary": "SELECT, INSERT, UPDATE",
        "alembic_version": "SELECT",
    },
}

OF_TENANT: Final = "tenant_id = nullif(current_setting('app.tenant', true), '')::uuid"
_OF_JOB: Final = "EXISTS (SELECT FROM job j WHERE j.id = job_id)"

# What `precis_caller` sees of each table, and may write to it; with row security forced
# on, the other roles see all rows. The inner looks at `job` and `delivery` are narrowed
# in their turn.
PRIVATE: Final[Mapping[str, str]] = {
    "job": OF_TENANT,
    "job_metadata": OF_TENANT,
    "webhook_endpoint": OF_TENANT,
    "event": OF_TENANT,
    "delivery": OF_TENANT,
    "delivery_attempt": "EXISTS (SELECT FROM delivery d WHERE d.id = delivery_id)",
    "job_key": _OF_JOB,
    "chunk": _OF_JOB,
    "summary": _OF_JOB,
    "citation": _OF_JOB,
    "job_input": _OF_JOB,
    "erasure": OF_TENANT,
}
