"""The first schema: tenants, jobs and what belongs to them, events, deliveries.

Revision ID: 0001
Revises:
"""

from alembic import op

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None

TENANTS = """
CREATE TABLE tenant (
    id             uuid PRIMARY KEY,
    name           text NOT NULL UNIQUE CHECK (name <> ''),
    owner_email    text NOT NULL,
    weight         double precision NOT NULL DEFAULT 1
                       CHECK (weight BETWEEN 0.001 AND 1000),
    -- Signs webhooks to URLs given with a job. Sealed by the master key.
    webhook_secret          bytea NOT NULL,
    webhook_secret_previous bytea,
    webhook_secret_rotated_at timestamptz,
    created_at     timestamptz NOT NULL DEFAULT statement_timestamp()
);

-- A tenant's place in the fair order: where its next job's tag begins.
CREATE TABLE lane (
    tenant_id uuid PRIMARY KEY REFERENCES tenant,
    tail      bigint NOT NULL DEFAULT 0
) WITH (fillfactor = 50);

-- The tag of the job claimed last; admission and the claim's floor follow it.
CREATE SEQUENCE fair_clock MINVALUE 0 START 0;

CREATE TABLE api_key (
    id           text PRIMARY KEY CHECK (id ~ '^[0-9A-Za-z]{8}$'),
    tenant_id    uuid NOT NULL REFERENCES tenant,
    name         text NOT NULL DEFAULT '',
    secret_hmac  bytea NOT NULL CHECK (octet_length(secret_hmac) = 32),
    created_at   timestamptz NOT NULL DEFAULT statement_timestamp(),
    expires_at   timestamptz,
    revoked_at   timestamptz
);
CREATE INDEX api_key_tenant ON api_key (tenant_id);
"""

JOBS = """
CREATE TABLE job (
    id               uuid PRIMARY KEY,
    tenant_id        uuid NOT NULL REFERENCES tenant,
    state            text NOT NULL CHECK (state IN ('queued', 'running', 'retry_wait',
                         'succeeded', 'failed', 'cancelled', 'expired')),
    fence            bigint NOT NULL DEFAULT 0 CHECK (fence >= 0),
    attempt          integer NOT NULL DEFAULT 0 CHECK (attempt BETWEEN 0 AND 5),
    version          bigint NOT NULL DEFAULT 1,
    lease_until      timestamptz,
    worker_id        text,
    -- Killed a worker once: runs alone in its process from then on.
    suspect          boolean NOT NULL DEFAULT false,
    run_at           timestamptz NOT NULL DEFAULT statement_timestamp(),
    deadline         timestamptz NOT NULL,
    tag              bigint NOT NULL,
    cancel_requested boolean NOT NULL DEFAULT false,

    tier             text NOT NULL CHECK (tier IN ('realtime', 'batch')),
    routing_reason   text NOT NULL,
    tokens           integer NOT NULL CHECK (tokens >= 0),
    threshold        integer NOT NULL,
    characters       integer NOT NULL CHECK (characters >= 0),
    options          jsonb NOT NULL,
    -- null: every enabled endpoint; else {webhook_url, webhook_lane, endpoint_id, email}
    delivery         jsonb,
    metadata         jsonb NOT NULL DEFAULT '{}',

    created_at       timestamptz NOT NULL DEFAULT statement_timestamp(),
    started_at       timestamptz,
    finished_at      timestamptz,
    prompt_tokens    integer,
    completion_tokens integer,
    provenance       jsonb,
    -- The share of the text whose chunks are done.
    coverage         double precision,
    warnings         text[] NOT NULL DEFAULT '{}',
    error_code       text,
    erased_at        timestamptz,

    CONSTRAINT job_leased_while_running
        CHECK ((state = 'running') = (lease_until IS NOT NULL)
           AND (state = 'running') = (worker_id IS NOT NULL)),
    CONSTRAINT job_finished_when_final
        CHECK ((state IN ('succeeded', 'failed', 'cancelled', 'expired'))
             = (finished_at IS NOT NULL)),
    CONSTRAINT job_error_when_failed
        CHECK ((state = 'failed') = (error_code IS NOT NULL)),
    -- A text of which a part was lost never counts as summarized.
    CONSTRAINT job_covered_when_succeeded
        CHECK (state <> 'succeeded' OR (coverage IS NOT NULL AND coverage = 1)),
    CONSTRAINT job_attempted_when_running
        CHECK (state NOT IN ('running', 'succeeded') OR attempt >= 1)
) WITH (fillfactor = 85, autovacuum_vacuum_scale_factor = 0.01,
        autovacuum_vacuum_threshold = 1000);
-- Nothing that a heartbeat changes is indexed: heartbeats stay HOT updates.
CREATE INDEX job_due ON job (tag, id) WHERE state = 'queued';
CREATE INDEX job_running ON job (id) WHERE state = 'running';
CREATE INDEX job_wait ON job (run_at) WHERE state = 'retry_wait';
CREATE INDEX job_deadline ON job (deadline) WHERE state IN ('queued', 'retry_wait');
CREATE INDEX job_listing ON job (tenant_id, id);

CREATE TABLE job_metadata (
    tenant_id uuid NOT NULL,
    key       text NOT NULL,
    value     text NOT NULL,
    job_id    uuid NOT NULL REFERENCES job,
    PRIMARY KEY (tenant_id, key, value, job_id)
);

-- The job's data key, wrapped by the master key. Without it nothing below opens.
CREATE TABLE job_key (
    job_id  uuid PRIMARY KEY REFERENCES job,
    wrapped bytea NOT NULL
);
CREATE TABLE job_input (
    job_id uuid PRIMARY KEY REFERENCES job,
    sealed bytea NOT NULL
);
ALTER TABLE job_input ALTER COLUMN sealed SET STORAGE EXTERNAL;

-- Pieces of the text (stage 0) and merges of results (stage 1 and up).
CREATE TABLE chunk (
    job_id            uuid NOT NULL REFERENCES job,
    stage             smallint NOT NULL CHECK (stage >= 0),
    idx               integer NOT NULL CHECK (idx >= 0),
    start_offset      integer NOT NULL CHECK (start_offset >= 0),
    end_offset        integer NOT NULL CHECK (end_offset >= start_offset),
    tokens            integer NOT NULL,
    state             text NOT NULL DEFAULT 'planned' CHECK (state IN ('planned', 'done')),
    sealed            bytea,
    prompt_tokens     integer,
    completion_tokens integer,
    fence             bigint,
    done_at           timestamptz,
    PRIMARY KEY (job_id, stage, idx),
    CHECK ((state = 'done') = (done_at IS NOT NULL)),
    CHECK (state = 'done' OR sealed IS NULL)
) WITH (fillfactor = 85);

CREATE TABLE summary (
    job_id     uuid PRIMARY KEY REFERENCES job,
    sealed     bytea NOT NULL,
    fence      bigint NOT NULL,
    created_at timestamptz NOT NULL DEFAULT statement_timestamp()
);
-- All citations of a summary: sealed JSON of offsets, never source text.
CREATE TABLE citation (
    job_id uuid PRIMARY KEY REFERENCES job,
    sealed bytea NOT NULL
);
CREATE FUNCTION refuse_change() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION 'a % is immutable', TG_TABLE_NAME USING ERRCODE = '23514';
END $$;
CREATE TRIGGER summary_immutable BEFORE UPDATE ON summary
    FOR EACH ROW EXECUTE FUNCTION refuse_change();

CREATE TABLE outbox (
    id         bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    job_id     uuid NOT NULL,
    created_at timestamptz NOT NULL DEFAULT statement_timestamp()
) WITH (autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 2000);

-- Held while a realtime call is outstanding (lease_until), then kept for replay.
CREATE TABLE idempotency_key (
    tenant_id   uuid NOT NULL REFERENCES tenant,
    key         text NOT NULL CHECK (key ~ '^[\\x20-\\x7e]{1,255}$'),
    fingerprint bytea NOT NULL,
    job_id      uuid NOT NULL,
    lease_until timestamptz,
    expires_at  timestamptz NOT NULL,
    PRIMARY KEY (tenant_id, key)
);
CREATE INDEX idempotency_key_expiry ON idempotency_key (expires_at);

-- The batch worker processes that live, and how many jobs each may hold at once.
CREATE TABLE worker_process (
    id      text PRIMARY KEY,
    slots   integer NOT NULL CHECK (slots >= 0),
    seen_at timestamptz NOT NULL
) WITH (fillfactor = 50);
"""

DELIVERIES = """
CREATE TABLE webhook_endpoint (
    id              uuid PRIMARY KEY,
    tenant_id       uuid NOT NULL REFERENCES tenant,
    url             text NOT NULL,
    description     text NOT NULL DEFAULT '',
    state           text NOT NULL DEFAULT 'enabled'
                        CHECK (state IN ('enabled', 'disabled', 'deleted')),
    disabled_reason text,
    secret          bytea NOT NULL,
    secret_previous bytea,
    rotated_at      timestamptz,
    created_at      timestamptz NOT NULL DEFAULT statement_timestamp()
);
CREATE INDEX webhook_endpoint_tenant ON webhook_endpoint (tenant_id, id)
    WHERE state <> 'deleted';

-- The fact that a job ended. One per job: the id follows from the job's id.
CREATE TABLE event (
    id          text PRIMARY KEY,
    job_id      uuid NOT NULL UNIQUE REFERENCES job,
    tenant_id   uuid NOT NULL,
    type        text NOT NULL CHECK (type IN ('summary.succeeded', 'summary.failed',
                    'summary.cancelled', 'summary.expired')),
    job_version bigint NOT NULL,
    -- The bytes that every receiver gets, frozen by the first attempt to send.
    body        bytea,
    created_at  timestamptz NOT NULL DEFAULT statement_timestamp()
);

CREATE TABLE delivery (
    id          uuid PRIMARY KEY DEFAULT gen_random_uuid(),
    event_id    text NOT NULL REFERENCES event,
    job_id      uuid NOT NULL,
    tenant_id   uuid NOT NULL,
    kind        text NOT NULL CHECK (kind IN ('webhook', 'email')),
    endpoint_id uuid REFERENCES webhook_endpoint,
    receiver    text,
    lane        text NOT NULL,
    state       text NOT NULL DEFAULT 'due' CHECK (state IN ('due', 'sending',
                    'delivered', 'exhausted', 'blocked', 'refused', 'cancelled')),
    fence       bigint NOT NULL DEFAULT 0,
    attempt     integer NOT NULL DEFAULT 0,
    next_at     timestamptz NOT NULL DEFAULT statement_timestamp(),
    lease_until timestamptz,
    last_code   integer,
    last_error  text,
    replay_of   uuid REFERENCES delivery,
    created_at  timestamptz NOT NULL DEFAULT statement_timestamp(),
    finished_at timestamptz,
    CHECK ((state = 'sending') = (lease_until IS NOT NULL)),
    CHECK ((state IN ('due', 'sending')) = (finished_at IS NULL)),
    CHECK ((endpoint_id IS NULL) <> (receiver IS NULL))
) WITH (fillfactor = 85, autovacuum_vacuum_scale_factor = 0.01,
        autovacuum_vacuum_threshold = 1000);
CREATE UNIQUE INDEX delivery_once ON delivery (event_id, kind,
    coalesce(endpoint_id::text, receiver)) WHERE replay_of IS NULL;
CREATE INDEX delivery_due ON delivery (lane, next_at) WHERE state = 'due';
CREATE INDEX delivery_sending ON delivery (lane) WHERE state = 'sending';
CREATE INDEX delivery_endpoint ON delivery (endpoint_id, created_at, id)
    WHERE endpoint_id IS NOT NULL;
CREATE INDEX delivery_job ON delivery (job_id);
CREATE INDEX delivery_replays ON delivery (replay_of) WHERE replay_of IS NOT NULL;

CREATE TABLE delivery_attempt (
    delivery_id uuid NOT NULL REFERENCES delivery,
    number      integer NOT NULL,
    started_at  timestamptz NOT NULL,
    finished_at timestamptz NOT NULL,
    code        integer,
    error       text,
    PRIMARY KEY (delivery_id, number)
);
"""


def upgrade() -> None:
    for statements in (TENANTS, JOBS, DELIVERIES):
        op.execute(statements)


def downgrade() -> None:
    op.execute(
        """
        DROP TABLE delivery_attempt, delivery, event, webhook_endpoint,
            worker_process, idempotency_key, outbox, citation, summary, chunk,
            job_input, job_key, job_metadata, job, api_key, lane, tenant;
        DROP SEQUENCE fair_clock;
        DROP FUNCTION refuse_change;
        """
    )
