"""Brings a database to the newest revision; safe to start in many places at once.

A session advisory lock makes concurrent callers queue up: the first migrates,
the others find nothing left to do. The rights of all roles are put in force under the
same lock. This runs as a job of its own, never at the start of a service.
"""

from pathlib import Path

from alembic import command
from alembic.config import Config
from sqlalchemy import create_engine, pool, text

from migrations.granting import grant_rights
from plumbing.database import async_url

_NEWEST = "head"


def upgrade(database_url: str, *, revision: str = _NEWEST) -> None:
    """Run the missing revisions up to `revision`, or wait for who does."""
    config = Config()
    config.set_main_option("script_location", str(Path(__file__).parent))
    engine = create_engine(async_url(database_url), poolclass=pool.NullPool)
    with engine.connect() as connection:
        lock = {"name": "precis-migrations"}
        connection.execute(
            text("SELECT pg_advisory_lock(hashtextextended(:name, 0))"), lock
        )
        connection.commit()
        config.attributes["connection"] = connection
        command.upgrade(config, revision)
        if revision == _NEWEST:
            grant_rights(connection)
        connection.commit()
    engine.dispose()
