"""The database says no: steps a job's life does not know, and endings that would change.

A WHEN clause decides, which costs a comparison; a function is called only to refuse, or
where a job ends. `jobs.lifecycle` is the same table in Python, and a test compares them.

Revision ID: 0004
Revises: 0003
"""

from alembic import op

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None

REFUSALS = """
CREATE FUNCTION refuse_row() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION 'the % of this % is refused by %',
        lower(TG_OP), TG_TABLE_NAME, TG_NAME
        USING ERRCODE = '23514', CONSTRAINT = TG_NAME, TABLE = TG_TABLE_NAME;
END $$;
"""

JOBS = """
ALTER TABLE job
    ADD CONSTRAINT job_version_counts CHECK (version >= 1),
    ADD CONSTRAINT job_erased_when_final
        CHECK (erased_at IS NULL OR finished_at IS NOT NULL),
    -- Who asked for a cancel gets one: nothing else may follow.
    ADD CONSTRAINT job_cancelled_when_asked
        CHECK (NOT cancel_requested OR state IN ('running', 'cancelled'));

CREATE TRIGGER job_begins AFTER INSERT ON job FOR EACH ROW
    WHEN (NEW.fence <> 0 OR NEW.version <> 1 OR NEW.erased_at IS NOT NULL
          OR NOT CASE NEW.state WHEN 'queued' THEN NEW.attempt = 0
                                WHEN 'succeeded' THEN NEW.attempt = 1
                                ELSE false END)
    EXECUTE FUNCTION refuse_row();

-- The fence rises with each claim and each leaving, so that a stale taker's writes
-- fail; the version with all that a caller can see.
CREATE TRIGGER job_steps AFTER UPDATE ON job FOR EACH ROW
    WHEN (NOT CASE OLD.state
        WHEN 'queued' THEN
            NEW.state IN ('running', 'cancelled', 'expired')
            AND NEW.fence > OLD.fence AND NEW.version > OLD.version
            AND NEW.attempt = OLD.attempt + (NEW.state = 'running')::int
        WHEN 'running' THEN CASE NEW.state
            WHEN 'running' THEN
                NEW.fence = OLD.fence AND NEW.version >= OLD.version
                AND NEW.attempt = OLD.attempt AND NEW.worker_id = OLD.worker_id
                AND NEW.cancel_requested >= OLD.cancel_requested
            ELSE
                NEW.fence > OLD.fence AND NEW.version > OLD.version
                AND NEW.attempt BETWEEN OLD.attempt - 1 AND OLD.attempt
                AND NEW.cancel_requested = OLD.cancel_requested
            END
        WHEN 'retry_wait' THEN
            NEW.state IN ('queued', 'cancelled', 'expired')
            AND NEW.fence >= OLD.fence + (NEW.state <> 'queued')::int
            AND NEW.version > OLD.version AND NEW.attempt = OLD.attempt
        ELSE true END)
    EXECUTE FUNCTION refuse_row();

CREATE FUNCTION refuse_new_ending() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    erased job := OLD;
BEGIN
    erased.erased_at := coalesce(OLD.erased_at, NEW.erased_at);
    IF erased IS DISTINCT FROM NEW THEN
        RAISE EXCEPTION 'job % has ended as %: nothing but erased_at may be set, once',
            OLD.id, OLD.state
            USING ERRCODE = '23514', CONSTRAINT = TG_NAME, TABLE = TG_TABLE_NAME;
    END IF;
    RETURN NULL;
END $$;
CREATE TRIGGER job_ended AFTER UPDATE ON job FOR EACH ROW
    WHEN (OLD.state IN ('succeeded', 'failed', 'cancelled', 'expired'))
    EXECUTE FUNCTION refuse_new_ending();

-- Whose job, and which: no statement of ours names these columns.
CREATE TRIGGER job_identity AFTER UPDATE OF id, tenant_id, tier, characters, created_at
    ON job FOR EACH ROW EXECUTE FUNCTION refuse_row();
CREATE TRIGGER job_kept BEFORE DELETE ON job FOR EACH ROW
    EXECUTE FUNCTION refuse_row();

-- Asked at the commit, so that the order of the writes does not matter.
CREATE FUNCTION require_ending() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF NOT EXISTS (SELECT FROM event
                   WHERE job_id = NEW.id AND type = 'summary.' || NEW.state)
       OR NEW.state = 'succeeded'
          AND NOT EXISTS (SELECT FROM summary WHERE job_id = NEW.id) THEN
        RAISE EXCEPTION 'job % ended as % without its event or summary',
            NEW.id, NEW.state
            USING ERRCODE = '23514', CONSTRAINT = TG_NAME, TABLE = TG_TABLE_NAME;
    END IF;
    RETURN NULL;
END $$;
CREATE CONSTRAINT TRIGGER job_ending_told AFTER INSERT OR UPDATE OF state ON job
    DEFERRABLE INITIALLY DEFERRED FOR EACH ROW
    WHEN (NEW.state IN ('succeeded', 'failed', 'cancelled', 'expired'))
    EXECUTE FUNCTION require_ending();
"""

CONTENTS = """
CREATE TRIGGER job_input_immutable BEFORE UPDATE ON job_input
    FOR EACH ROW EXECUTE FUNCTION refuse_change();
CREATE TRIGGER citation_immutable BEFORE UPDATE ON citation
    FOR EACH ROW EXECUTE FUNCTION refuse_change();
CREATE TRIGGER outbox_immutable BEFORE UPDATE ON outbox
    FOR EACH ROW EXECUTE FUNCTION refuse_change();
CREATE TRIGGER chunk_done_once AFTER UPDATE ON chunk FOR EACH ROW
    WHEN (OLD.state = 'done') EXECUTE FUNCTION refuse_row();
-- A key that stands for a stored job stands for it until its time is over.
CREATE TRIGGER idempotency_key_kept AFTER UPDATE ON idempotency_key FOR EACH ROW
    WHEN (OLD.lease_until IS NULL AND OLD.expires_at > statement_timestamp()
          AND (NEW.job_id <> OLD.job_id OR NEW.fingerprint <> OLD.fingerprint))
    EXECUTE FUNCTION refuse_row();
CREATE TRIGGER api_key_revoked AFTER UPDATE ON api_key FOR EACH ROW
    WHEN (OLD.revoked_at IS NOT NULL AND NEW.revoked_at IS NULL
          OR NEW.tenant_id <> OLD.tenant_id OR NEW.secret_hmac <> OLD.secret_hmac)
    EXECUTE FUNCTION refuse_row();
"""

TOLD = """
CREATE TRIGGER event_immutable AFTER UPDATE ON event FOR EACH ROW
    WHEN ((OLD.id, OLD.job_id, OLD.tenant_id, OLD.type, OLD.job_version, OLD.created_at)
          IS DISTINCT FROM
          (NEW.id, NEW.job_id, NEW.tenant_id, NEW.type, NEW.job_version, NEW.created_at)
          OR OLD.body IS NOT NULL AND OLD.body IS DISTINCT FROM NEW.body)
    EXECUTE FUNCTION refuse_row();
CREATE TRIGGER event_kept BEFORE DELETE ON event FOR EACH ROW
    EXECUTE FUNCTION refuse_row();
CREATE TRIGGER delivery_steps AFTER UPDATE ON delivery FOR EACH ROW
    WHEN (NEW.fence < OLD.fence OR NEW.attempt < OLD.attempt
          OR NEW.state <> OLD.state AND NEW.fence = OLD.fence
          OR NOT CASE OLD.state
                 WHEN 'due' THEN NEW.state IN ('due', 'sending', 'cancelled')
                 WHEN 'sending' THEN true
                 ELSE NEW.state = OLD.state AND NEW.attempt = OLD.attempt
                      AND NEW.finished_at = OLD.finished_at END)
    EXECUTE FUNCTION refuse_row();
CREATE TRIGGER delivery_identity AFTER UPDATE OF event_id, job_id, tenant_id, kind,
    endpoint_id ON delivery FOR EACH ROW EXECUTE FUNCTION refuse_row();
CREATE TRIGGER delivery_attempt_immutable BEFORE UPDATE ON delivery_attempt
    FOR EACH ROW EXECUTE FUNCTION refuse_change();
CREATE TRIGGER webhook_endpoint_deleted AFTER UPDATE ON webhook_endpoint FOR EACH ROW
    WHEN (OLD.state = 'deleted' AND NEW.state <> 'deleted'
          OR NEW.tenant_id <> OLD.tenant_id)
    EXECUTE FUNCTION refuse_row();
"""


def upgrade() -> None:
    op.execute("SET LOCAL lock_timeout = '5s'")
    for statements in (REFUSALS, JOBS, CONTENTS, TOLD):
        op.execute(statements)


def downgrade() -> None:
    op.execute(
        """
        DROP TRIGGER job_input_immutable ON job_input;
        DROP TRIGGER citation_immutable ON citation;
        DROP TRIGGER outbox_immutable ON outbox;
        DROP TRIGGER delivery_attempt_immutable ON delivery_attempt;
        DROP FUNCTION refuse_row, refuse_new_ending, require_ending CASCADE;
        ALTER TABLE job DROP CONSTRAINT job_version_counts,
            DROP CONSTRAINT job_erased_when_final,
            DROP CONSTRAINT job_cancelled_when_asked;
        """
    )
