"""How much waits: each lane counts what it took in, the due index what has not begun.

What was ever admitted is counted in the lane's UPDATE that each admission makes anyway;
what waits is summed from the index alone. The difference of the two is what has gone.

Revision ID: 0008
Revises: 0007
"""

from alembic import op

revision = "0008"
down_revision = "0007"
branch_labels = None
depends_on = None

STATEMENTS = """
SET LOCAL lock_timeout = '5s';
ALTER TABLE lane
    ADD COLUMN admitted_jobs  bigint NOT NULL DEFAULT 0,
    ADD COLUMN admitted_bytes bigint NOT NULL DEFAULT 0;
-- Of the sealed text, as it lies on the disk.
ALTER TABLE job ADD COLUMN text_bytes integer NOT NULL DEFAULT 0
    CHECK (text_bytes >= 0);
UPDATE job SET text_bytes = octet_length(i.sealed)
FROM job_input i WHERE i.job_id = job.id AND state IN ('queued', 'retry_wait');
DROP INDEX job_due;
CREATE INDEX job_due ON job (tag, id) INCLUDE (tenant_id, text_bytes)
    WHERE state = 'queued';
"""


def upgrade() -> None:
    op.execute(STATEMENTS)


def downgrade() -> None:
    op.execute(
        """
        DROP INDEX job_due;
        CREATE INDEX job_due ON job (tag, id) WHERE state = 'queued';
        ALTER TABLE job DROP COLUMN text_bytes;
        ALTER TABLE lane DROP COLUMN admitted_jobs, DROP COLUMN admitted_bytes;
        """
    )
