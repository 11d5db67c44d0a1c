"""The connection to Postgres when Postgres does not play along."""

import asyncio
import os
import signal
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from datetime import timedelta

import pytest
from psycopg import AsyncConnection
from sqlalchemy import event, exc, text
from sqlalchemy.engine import make_url

from plumbing.connections import Opening, connected
from plumbing.database import Database, DatabaseUnavailable, Transaction, async_url
from plumbing.vigil import Use


@pytest.fixture
async def impatient(database_url: str) -> AsyncIterator[Database]:
    opened = Database(
        database_url, pool_size=1, statement_timeout=timedelta(seconds=0.2)
    )
    yield opened
    await opened.close()


@contextmanager
def frozen(pid: int) -> Iterator[None]:
    """As a machine that stands still: its connections stay open and say nothing."""
    os.kill(pid, signal.SIGSTOP)
    try:
        yield
    finally:
        os.kill(pid, signal.SIGCONT)


async def backend(tx: Transaction) -> int:
    return int(await tx.scalar(text("SELECT pg_backend_pid()")))


@pytest.mark.parametrize("use", ["statement", "transaction"])
async def test_a_frozen_postgres_is_not_waited_for(
    impatient: Database, use: str
) -> None:
    opening = getattr(impatient, use)
    async with opening() as tx:
        pid = await backend(tx)
    started = time.monotonic()
    with frozen(pid):
        async with asyncio.timeout(10):
            with pytest.raises(DatabaseUnavailable):
                async with opening() as tx:
                    await tx.execute(text("SELECT 1"))
        assert time.monotonic() - started < 4
        # The next one gets a connection of its own.
        async with opening() as tx:
            assert await backend(tx) != pid


async def test_a_lock_may_be_held_for_longer_than_a_statement(
    impatient: Database,
) -> None:
    async with _locked(impatient) as tx:
        pid = await backend(tx)
        await asyncio.sleep(1.5)
        assert await backend(tx) == pid


async def test_locks_leave_the_pool_to_those_who_work(impatient: Database) -> None:
    """A process holds some for as long as it lives; its pool is for everything else."""
    first, second = _locked(impatient), _locked(impatient, "another one")
    async with first, second, impatient.transaction() as tx:
        assert await backend(tx)


async def test_a_lock_whose_release_failed_is_not_kept(impatient: Database) -> None:
    """Its connection would rest in the pool, and nobody would have the lock again."""

    async def spoil() -> None:
        async with _locked(impatient) as tx:
            await tx.execute(text("BEGIN"))
            with pytest.raises(exc.DataError):
                await tx.execute(text("SELECT 1 / 0"))

    with pytest.raises(DatabaseUnavailable):
        await spoil()
    async with _locked(impatient, "another one"), _locked(impatient) as tx:
        assert await backend(tx)


@asynccontextmanager
async def _locked(
    database: Database, name: str = "of the tests"
) -> AsyncIterator[Transaction]:
    async with database.session_lock(name) as held:
        assert held is not None
        yield held


async def test_a_use_that_is_ended_as_its_connection_opens_is_ended(
    database_url: str,
) -> None:
    """Else it would wait for a frozen server, and whoever ended it for the use."""
    opening = Opening(
        async_url(database_url),
        statement_timeout=timedelta(seconds=5),
        application="ended",
    )
    engine, use = opening.pool(1), Use()
    async with connected(engine, Use()) as connection:
        await connection.execute(text("SELECT 1"))
    event.listen(engine.sync_engine.pool, "checkout", lambda *_: use.end())
    with pytest.raises(exc.OperationalError):
        async with connected(engine, use) as connection:
            await connection.execute(text("SELECT 1"))
    await engine.dispose()


async def test_a_postgres_that_only_reads_is_left_and_asked_anew(
    impatient: Database, database_url: str, postgres_url: str
) -> None:
    """A former primary refuses to write; the one in its place is found again."""
    name = make_url(database_url).database
    change = f"ALTER DATABASE {name} SET default_transaction_read_only = "
    write = text("CREATE TABLE written ()")
    async with await AsyncConnection.connect(postgres_url, autocommit=True) as admin:
        await admin.execute(f"{change} on".encode())
        with pytest.raises(DatabaseUnavailable):
            async with impatient.statement() as tx:
                await tx.execute(write)
        await admin.execute(f"{change} off".encode())
    async with impatient.statement() as tx:
        await tx.execute(write)
