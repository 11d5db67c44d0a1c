"""The database's own account of what happened: each change of a job, in order, and why.

Triggers of the test alone write it, in the transaction that they watch, so that a step
that was rolled back is not in it and no step can hide. Which act a change belongs to,
each connection says before it acts. Judging the account is `books`' part.
"""

from typing import Final

# A row's lock orders the steps of one job; a trigger's clock may be a little later than
# the statement's, so times are told by what the statement itself wrote.
INSTALL: Final = """
CREATE SCHEMA model;

-- It was made with Postgres's own clock, not the model's; the audit judges the same.
DROP TRIGGER idempotency_key_kept ON idempotency_key;

CREATE TABLE model.step (
    n           bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    act         text NOT NULL,
    job_id      uuid NOT NULL,
    old_state   text, new_state   text NOT NULL,
    old_fence   bigint, new_fence   bigint NOT NULL,
    old_attempt integer, new_attempt integer NOT NULL,
    old_version bigint, new_version bigint NOT NULL,
    old_lease   timestamptz, new_lease timestamptz,
    run_at      timestamptz NOT NULL,
    deadline    timestamptz NOT NULL,
    finished_at timestamptz,
    cancelling  boolean,
    noted_at    timestamptz NOT NULL
);
CREATE FUNCTION model.note_step() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO model.step (act, job_id, old_state, new_state, old_fence, new_fence,
        old_attempt, new_attempt, old_version, new_version, old_lease, new_lease,
        run_at, deadline, finished_at, cancelling, noted_at)
    VALUES (current_setting('model.act'), NEW.id, OLD.state, NEW.state, OLD.fence,
        NEW.fence, OLD.attempt, NEW.attempt, OLD.version, NEW.version, OLD.lease_until,
        NEW.lease_until, NEW.run_at, NEW.deadline, NEW.finished_at,
        OLD.cancel_requested, statement_timestamp());
    RETURN NULL;
END $$;
CREATE TRIGGER model_step AFTER INSERT OR UPDATE ON job
    FOR EACH ROW EXECUTE FUNCTION model.note_step();

-- What was stored under which fence, and where its job stood at that moment.
CREATE TABLE model.result (
    n         bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    what      text NOT NULL,
    job_id    uuid NOT NULL,
    fence     bigint,
    job_fence bigint,
    job_state text
);
CREATE FUNCTION model.note_result() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO model.result (what, job_id, fence, job_fence, job_state)
    SELECT TG_ARGV[0], NEW.job_id, NEW.fence, j.fence, j.state
    FROM (SELECT NEW.job_id AS id) n LEFT JOIN job j USING (id);
    RETURN NULL;
END $$;
CREATE TRIGGER model_summary AFTER INSERT ON summary
    FOR EACH ROW EXECUTE FUNCTION model.note_result('summary');
CREATE TRIGGER model_chunk AFTER INSERT OR UPDATE ON chunk
    FOR EACH ROW WHEN (NEW.state = 'done')
    EXECUTE FUNCTION model.note_result('chunk');

CREATE TABLE model.key_freed (
    n bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    tenant_id uuid NOT NULL, key text NOT NULL,
    was_over boolean NOT NULL
);
CREATE FUNCTION model.note_key() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO model.key_freed (tenant_id, key, was_over)
    VALUES (OLD.tenant_id, OLD.key, OLD.expires_at <= statement_timestamp());
    RETURN NULL;
END $$;
CREATE TRIGGER model_key_gone AFTER DELETE ON idempotency_key
    FOR EACH ROW WHEN (OLD.lease_until IS NULL) EXECUTE FUNCTION model.note_key();
CREATE TRIGGER model_key_taken AFTER UPDATE ON idempotency_key
    FOR EACH ROW WHEN (OLD.lease_until IS NULL AND NEW.job_id <> OLD.job_id)
    EXECUTE FUNCTION model.note_key();

CREATE TABLE model.delivery_step (
    n          bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    act        text NOT NULL,
    id         uuid NOT NULL,
    old_state  text, new_state  text NOT NULL,
    old_fence  bigint, new_fence  bigint NOT NULL,
    old_attempt integer, new_attempt integer NOT NULL
);
CREATE FUNCTION model.note_delivery() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO model.delivery_step (act, id, old_state, new_state, old_fence,
        new_fence, old_attempt, new_attempt)
    VALUES (current_setting('model.act'), NEW.id, OLD.state, NEW.state, OLD.fence,
        NEW.fence, OLD.attempt, NEW.attempt);
    RETURN NULL;
END $$;
CREATE TRIGGER model_delivery AFTER INSERT OR UPDATE ON delivery
    FOR EACH ROW EXECUTE FUNCTION model.note_delivery();
"""

# Triggers off for the transaction: the ledgers refuse to be emptied.
RESET: Final = """
SET LOCAL session_replication_role = replica;
TRUNCATE job, job_metadata, job_key, job_input, chunk, summary, citation, outbox,
    idempotency_key, event, delivery, delivery_attempt, notice, erasure, pause,
    model.step, model.result, model.key_freed, model.delivery_step RESTART IDENTITY;
UPDATE lane SET tail = 0, admitted_jobs = 0, admitted_bytes = 0;
UPDATE webhook_endpoint SET state = 'enabled', disabled_reason = NULL,
    failing_since = NULL;
SELECT setval('fair_clock', 0);
"""

# What the database itself refuses, so that the model is seen to find a break alone.
UNGUARD: Final = """
DO $$
DECLARE t record;
BEGIN
    FOR t IN SELECT tgname, tgrelid::regclass AS of FROM pg_trigger
             WHERE NOT tgisinternal AND tgname NOT LIKE 'model%'
               AND tgrelid::regclass::text <> 'erasure'
    LOOP
        EXECUTE format('DROP TRIGGER %I ON %s', t.tgname, t.of);
    END LOOP;
END $$;;
ALTER TABLE job DROP CONSTRAINT job_attempt_check,
    DROP CONSTRAINT job_cancelled_when_asked,
    DROP CONSTRAINT job_error_when_failed;
"""
