"""The operator's hand: pauses, the audit of what was done, a canary, a job's last error.

Revision ID: 0003
Revises: 0002
"""

from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None

STATEMENTS = """
-- What an operator has paused. While a tenant's row is `pausing` or `paused` no claim
-- takes its jobs; the dispatcher moves them aside and, while `resuming`, back again.
CREATE TABLE pause (
    scope     text NOT NULL CHECK (scope IN ('tenant', 'tier', 'pool')),
    -- A tenant's name, or `realtime` or `batch`.
    name      text NOT NULL,
    tenant_id uuid REFERENCES tenant,
    step      text NOT NULL CHECK (step IN ('pausing', 'paused', 'resuming')),
    actor     text NOT NULL,
    since     timestamptz NOT NULL DEFAULT statement_timestamp(),
    PRIMARY KEY (scope, name),
    CHECK ((scope = 'tenant') = (tenant_id IS NOT NULL)),
    CHECK (scope = 'tenant' OR (name IN ('realtime', 'batch') AND step = 'paused'))
);

-- Who did what by hand. Ids, names and counts; never texts, keys or addresses.
CREATE TABLE audit (
    id      bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    at      timestamptz NOT NULL DEFAULT statement_timestamp(),
    actor   text NOT NULL CHECK (actor <> ''),
    action  text NOT NULL CHECK (action <> ''),
    subject text NOT NULL,
    details jsonb NOT NULL DEFAULT '{}'
);
CREATE INDEX audit_at ON audit (at);
CREATE FUNCTION refuse_rewriting() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION '% is append-only', TG_TABLE_NAME USING ERRCODE = '23514';
END $$;
CREATE TRIGGER audit_append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON audit
    FOR EACH STATEMENT EXECUTE FUNCTION refuse_rewriting();

-- Sealed by the master key: who cannot open it has another key than this database.
CREATE TABLE canary (
    only_one boolean PRIMARY KEY DEFAULT true CHECK (only_one),
    sealed   bytea NOT NULL
);

-- Why the last attempt failed, as long as another one is to come.
ALTER TABLE job ADD COLUMN last_error text;
"""


def upgrade() -> None:
    op.execute(STATEMENTS)


def downgrade() -> None:
    op.execute(
        """
        ALTER TABLE job DROP COLUMN last_error;
        DROP TABLE pause, audit, canary;
        DROP FUNCTION refuse_rewriting;
        """
    )
