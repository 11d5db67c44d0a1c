"""Notices to owners, doubt about mails, and since when an endpoint only fails.

Revision ID: 0002
Revises: 0001
"""

from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None

NOTICES = """
-- A mail to a tenant's owner: deliveries were given up, or an endpoint was disabled.
CREATE TABLE notice (
    id          uuid PRIMARY KEY DEFAULT gen_random_uuid(),
    tenant_id   uuid NOT NULL REFERENCES tenant,
    reason      text NOT NULL CHECK (reason IN ('exhausted', 'gone', 'only_failures')),
    -- null: receivers that jobs named
    endpoint_id uuid REFERENCES webhook_endpoint,
    -- How often it happened while the notice was gathering.
    count       integer NOT NULL DEFAULT 1 CHECK (count >= 1),
    state       text NOT NULL DEFAULT 'gathering' CHECK (state IN
                    ('gathering', 'due', 'sending', 'sent', 'refused', 'exhausted')),
    fence       bigint NOT NULL DEFAULT 0,
    attempt     integer NOT NULL DEFAULT 0,
    -- How often the relay may have taken the mail without our knowing.
    doubts      integer NOT NULL DEFAULT 0,
    next_at     timestamptz NOT NULL,
    lease_until timestamptz,
    last_code   integer,
    last_error  text,
    created_at  timestamptz NOT NULL DEFAULT statement_timestamp(),
    finished_at timestamptz,
    CHECK ((state = 'sending') = (lease_until IS NOT NULL)),
    CHECK ((state IN ('sent', 'refused', 'exhausted')) = (finished_at IS NOT NULL))
);
-- What happens again while a notice gathers is counted in it, not told apart.
CREATE UNIQUE INDEX notice_gathering ON notice (tenant_id, reason, endpoint_id)
    NULLS NOT DISTINCT WHERE state = 'gathering';
CREATE INDEX notice_open ON notice (next_at) WHERE finished_at IS NULL;
CREATE INDEX notice_subject ON notice (tenant_id, reason, endpoint_id);
"""

DELIVERIES = """
ALTER TABLE webhook_endpoint
    -- The first failure since the last success; null while all is well.
    ADD COLUMN failing_since timestamptz;
ALTER TABLE delivery
    -- How often the relay may have taken the mail without our knowing.
    ADD COLUMN doubts integer NOT NULL DEFAULT 0;
UPDATE delivery d SET doubts = (SELECT count(*) FROM delivery_attempt a
    WHERE a.delivery_id = d.id AND a.error = 'reply_lost')
WHERE d.kind = 'email' AND d.state IN ('due', 'sending');
-- Owners look here for what was given up.
CREATE INDEX delivery_exhausted ON delivery (tenant_id, created_at, id)
    WHERE state = 'exhausted';
"""


def upgrade() -> None:
    op.execute(NOTICES)
    op.execute(DELIVERIES)


def downgrade() -> None:
    op.execute(
        """
        DROP INDEX delivery_exhausted;
        ALTER TABLE delivery DROP COLUMN doubts;
        ALTER TABLE webhook_endpoint DROP COLUMN failing_since;
        DROP TABLE notice;
        """
    )
