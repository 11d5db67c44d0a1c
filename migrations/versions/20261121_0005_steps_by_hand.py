"""An operator's steps of a job: set aside and back in line, ended by hand; oldest snapshot.

Revision ID: 0005
Revises: 0004
"""

from alembic import op

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None

_STEPS = """
DROP TRIGGER job_steps ON job;
CREATE TRIGGER job_steps AFTER UPDATE ON job FOR EACH ROW
    WHEN (NOT CASE OLD.state
        WHEN 'queued' THEN {queued}
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
            NEW.state IN ('queued', 'cancelled', 'expired'{by_hand})
            AND NEW.fence >= OLD.fence + (NEW.state <> 'queued')::int
            AND NEW.version > OLD.version AND NEW.attempt = OLD.attempt
        ELSE true END)
    EXECUTE FUNCTION refuse_row();
"""
_LEAVES_LINE = """
            NEW.state IN ('running', 'cancelled', 'expired'{by_hand})
            AND NEW.fence > OLD.fence AND NEW.version > OLD.version
            AND NEW.attempt = OLD.attempt + (NEW.state = 'running')::int"""
# Nothing but its place in line may change while a job stays queued.
_MOVES_IN_LINE = """CASE NEW.state WHEN 'queued' THEN
                NEW.fence = OLD.fence AND NEW.version = OLD.version
                AND NEW.attempt = OLD.attempt AND NOT NEW.cancel_requested
            ELSE {leaves} END"""

# As its owner, who may see what other users' sessions do; it tells an age, no query.
OLDEST_SNAPSHOT = """
CREATE FUNCTION oldest_snapshot_seconds() RETURNS double precision
LANGUAGE sql SECURITY DEFINER SET search_path = pg_catalog AS $$
    SELECT coalesce(extract(epoch FROM clock_timestamp() - min(xact_start)), 0)::float8
    FROM pg_stat_activity
    WHERE backend_xmin IS NOT NULL AND backend_type <> 'autovacuum worker'
      AND pid <> pg_backend_pid()
$$;
"""


def upgrade() -> None:
    op.execute("SET LOCAL lock_timeout = '5s'")
    by_hand = ", 'failed'"
    leaves = _LEAVES_LINE.format(by_hand=by_hand)
    queued = _MOVES_IN_LINE.format(leaves=leaves)
    op.execute(_STEPS.format(queued=queued, by_hand=by_hand))
    op.execute(OLDEST_SNAPSHOT)


def downgrade() -> None:
    op.execute("DROP FUNCTION oldest_snapshot_seconds")
    op.execute(_STEPS.format(queued=_LEAVES_LINE.format(by_hand=""), by_hand=""))
