"""Metadata in one place: the caller's words are erased, and an ended job does not change.

Revision ID: 0007
Revises: 0006
"""

from alembic import op

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.execute("SET LOCAL lock_timeout = '5s'")
    op.execute("ALTER TABLE job DROP COLUMN metadata")


def downgrade() -> None:
    # Triggers off: ended jobs get back what they had.
    op.execute(
        """
        ALTER TABLE job ADD COLUMN metadata jsonb NOT NULL DEFAULT '{}';
        ALTER TABLE job DISABLE TRIGGER job_ended;
        UPDATE job SET metadata = told.pairs
        FROM (SELECT job_id, jsonb_object_agg(key, value) AS pairs
              FROM job_metadata GROUP BY job_id) told
        WHERE job.id = told.job_id;
        ALTER TABLE job ENABLE TRIGGER job_ended;
        """
    )
