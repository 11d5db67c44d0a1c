"""Runs the migrations for `precis migrate`, and says in words why they cannot run."""

from sqlalchemy import exc

from migrations.upgrade import upgrade
from plumbing.settings import DatabaseSettings, read_settings
from precis.cli.exits import CommandRefused, Exit


def make_tables() -> None:
    """Safe to repeat; concurrent callers wait for one another."""
    settings = read_settings(DatabaseSettings)
    try:
        upgrade(settings.database_url.get_secret_value())
    except exc.ArgumentError:
        raise CommandRefused(
            "PRECIS_DATABASE_URL is no address of a database; it looks like "
            "postgresql://user:password@host:5432/name.",
            status=Exit.USAGE,
        ) from None
    except exc.OperationalError as error:
        raise CommandRefused(
            f"Postgres refuses or does not answer ({type(error.orig).__name__}). "
            "Check PRECIS_DATABASE_URL, and that its server runs.",
            status=Exit.NOT_REACHABLE,
        ) from error
