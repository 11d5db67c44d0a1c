"""Erasure and retention: the ledger, and what an ended job still holds.

Revision ID: 0006
Revises: 0005
"""

from alembic import op

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None

STATEMENTS = """
-- What was erased on its tenant's demand, and when: ids and times, for ever. No
-- reference to job: a restored database may know less than the ledger.
CREATE TABLE erasure (
    id           uuid PRIMARY KEY,
    job_id       uuid NOT NULL UNIQUE,
    tenant_id    uuid NOT NULL,
    requested_at timestamptz NOT NULL,
    erased_at    timestamptz NOT NULL
);
CREATE TRIGGER erasure_append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON erasure
    FOR EACH STATEMENT EXECUTE FUNCTION refuse_rewriting();

-- What is still kept of an ended job, so that one index finds what is overdue. It
-- stands here, with the database's time of the ending, since an ended job's own row
-- does not change.
ALTER TABLE event ADD COLUMN holds text NOT NULL DEFAULT 'text'
    CHECK (holds IN ('text', 'summary', 'nothing'));
CREATE INDEX event_retention ON event (holds, created_at);

-- What is held only dwindles. The step to nothing may put another body in place, one
-- without the caller's metadata; an event goes when it stands for nothing any more.
DROP TRIGGER event_immutable ON event;
CREATE TRIGGER event_immutable AFTER UPDATE ON event FOR EACH ROW
    WHEN ((OLD.id, OLD.job_id, OLD.tenant_id, OLD.type, OLD.job_version, OLD.created_at)
          IS DISTINCT FROM
          (NEW.id, NEW.job_id, NEW.tenant_id, NEW.type, NEW.job_version, NEW.created_at)
          OR OLD.body IS NOT NULL AND OLD.body IS DISTINCT FROM NEW.body
             AND NOT (OLD.holds <> 'nothing' AND NEW.holds = 'nothing')
          OR OLD.holds = 'nothing' AND NEW.holds <> 'nothing'
          OR OLD.holds = 'summary' AND NEW.holds = 'text')
    EXECUTE FUNCTION refuse_row();
DROP TRIGGER event_kept ON event;
CREATE TRIGGER event_kept BEFORE DELETE ON event FOR EACH ROW
    WHEN (OLD.holds <> 'nothing') EXECUTE FUNCTION refuse_row();

-- Metadata are the caller's words and are erased with the text.
CREATE INDEX job_metadata_job ON job_metadata (job_id);

-- Erased jobs are listed no more; a page must not have to walk past them.
DROP INDEX job_listing;
CREATE INDEX job_listing ON job (tenant_id, id) WHERE erased_at IS NULL;

-- Not partial any more, so that an old event can be deleted without reading all
-- deliveries for one that refers to it.
DROP INDEX delivery_once;
CREATE UNIQUE INDEX delivery_once ON delivery (event_id, kind,
    coalesce(endpoint_id::text, receiver), (CASE WHEN replay_of IS NOT NULL THEN id END))
    NULLS NOT DISTINCT;
"""


def upgrade() -> None:
    op.execute(STATEMENTS)


def downgrade() -> None:
    op.execute(
        """
        DROP INDEX delivery_once;
        CREATE UNIQUE INDEX delivery_once ON delivery (event_id, kind,
            coalesce(endpoint_id::text, receiver)) WHERE replay_of IS NULL;
        DROP INDEX job_listing;
        CREATE INDEX job_listing ON job (tenant_id, id);
        DROP INDEX job_metadata_job;
        DROP TRIGGER event_immutable ON event;
        CREATE TRIGGER event_immutable AFTER UPDATE ON event FOR EACH ROW
            WHEN ((OLD.id, OLD.job_id, OLD.tenant_id, OLD.type, OLD.job_version,
                   OLD.created_at)
                  IS DISTINCT FROM
                  (NEW.id, NEW.job_id, NEW.tenant_id, NEW.type, NEW.job_version,
                   NEW.created_at)
                  OR OLD.body IS NOT NULL AND OLD.body IS DISTINCT FROM NEW.body)
            EXECUTE FUNCTION refuse_row();
        DROP TRIGGER event_kept ON event;
        CREATE TRIGGER event_kept BEFORE DELETE ON event FOR EACH ROW
            EXECUTE FUNCTION refuse_row();
        DROP INDEX event_retention;
        ALTER TABLE event DROP COLUMN holds;
        DROP TABLE erasure;
        """
    )
