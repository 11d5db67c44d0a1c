"""The database that `precis migrate` and `precis admin` work on, and its tables.

An address that is none and a server that is away are told in words here, before
anything is changed.
"""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Final
from urllib.parse import urlsplit

from migrations.granting import RightsRefused
from migrations.upgrade import upgrade
from plumbing.database import Database, DatabaseUnavailable
from plumbing.settings import DatabaseSettings, read_settings
from precis.cli.exits import CommandRefused, Exit

_SCHEMES: Final = frozenset({"postgresql", "postgresql+psycopg"})


def make_tables() -> None:
    """Safe to repeat; concurrent callers wait for one another."""
    settings = read_settings(DatabaseSettings)
    asyncio.run(_ping(settings))
    try:
        upgrade(settings.database_url.get_secret_value())
    except RightsRefused as error:
        raise CommandRefused(str(error), status=Exit.NOT_DONE) from error


@asynccontextmanager
async def open_database(settings: DatabaseSettings) -> AsyncIterator[Database]:
    url = settings.database_url.get_secret_value()
    _check(url)
    database = Database(url, pool_size=1)
    try:
        yield database
    except DatabaseUnavailable as error:
        raise CommandRefused(
            "Postgres refuses or does not answer. Check PRECIS_DATABASE_URL, and that "
            "its server runs.",
            status=Exit.NOT_REACHABLE,
        ) from error
    finally:
        await database.close()


async def _ping(settings: DatabaseSettings) -> None:
    async with open_database(settings) as database:
        await database.ping()


def _check(url: str) -> None:
    try:
        parts = urlsplit(url)
        is_usable = parts.scheme in _SCHEMES and (parts.port is None or parts.port > 0)
    except ValueError:  # a port that is no number
        is_usable = False
    if not is_usable:
        raise CommandRefused(
            "PRECIS_DATABASE_URL is no address of a database; it looks like "
            "postgresql://user:password@host:5432/name.",
            status=Exit.USAGE,
        )
