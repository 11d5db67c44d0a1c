"""The connection to Postgres; the only file that opens transactions and commits.

Three shapes are offered. `transaction()` is BEGIN ... COMMIT for several
statements that stand or fall together; `for_tenant()` is one that row security narrows.
`statement()` is for one statement that is its own transaction, which saves two round
trips. Outside calls (engine, Kafka, webhooks) never happen inside any of them.
"""

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from datetime import timedelta
from typing import Any, Final, TypeVar
from uuid import UUID

import psycopg
from sqlalchemy import exc, text
from sqlalchemy.engine import make_url
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from plumbing.connections import NoConnection, Opening, connected, driver_of
from plumbing.opening_words import becoming
from plumbing.vigil import Away, Vigil

Transaction = AsyncConnection
T = TypeVar("T")

RowRefused = (exc.IntegrityError, exc.DataError)
"""The database refused what a row says; the same row would be refused again."""

_SILENCE: Final = timedelta(seconds=1)
"""Beyond the limit that Postgres keeps itself: who is silent for longer is frozen."""
_MOST_REPEATS: Final = 3
_MOST_LOCKS: Final = 8


class DatabaseUnavailable(Exception):
    """Postgres does not answer, or the answer of a COMMIT was lost.

    What was asked may or may not have been done: callers repeat it under the
    same key or leave it to the lease.
    """


class StorageFull(DatabaseUnavailable):
    """Postgres has no room to write; nothing was stored. Reading works."""


class InTheWay(DatabaseUnavailable):
    """A deadlock or a serialization failure: nothing was done, and it may be repeated."""


def async_url(url: str) -> str:
    """`postgresql://` as SQLAlchemy spells it for psycopg 3."""
    return (
        make_url(url)
        .set(drivername="postgresql+psycopg")
        .render_as_string(hide_password=False)
    )


class Database:
    """A pool of connections and the only two ways to use one."""

    def __init__(
        self,
        url: str,
        *,
        pool_size: int,
        statement_timeout: timedelta = timedelta(seconds=30),
        application: str = "precis",
        told_apart: bool = False,
    ) -> None:
        """`told_apart`: a Postgres that is frozen is told from a slow one in a second.

        It costs a question on a connection of its own whenever a use lasts.
        """
        opening = Opening(
            async_url(url), statement_timeout=statement_timeout, application=application
        )
        self._engine = opening.pool(pool_size)
        self._transactional = self._engine.execution_options(
            isolation_level="READ COMMITTED"
        )
        # Locks are held for days: out of the pool, or its users would wait for ever.
        self._locks = opening.pool(_MOST_LOCKS)
        self._vigil = Vigil(
            longest=statement_timeout + _SILENCE,
            ask=opening.ask if told_apart else None,
        )

    @asynccontextmanager
    async def transaction(self) -> AsyncIterator[Transaction]:
        """Several statements that stand or fall together, committed on leaving."""
        async with self._watched(self._transactional) as connection, connection.begin():
            yield connection

    @asynccontextmanager
    async def for_tenant(
        self, tenant_id: UUID, *, role: str
    ) -> AsyncIterator[Transaction]:
        """A transaction as `role`, whose row security shows one tenant's rows alone.

        Said inside the transaction, so a pooler or the next user never inherits it.
        """
        async with self.transaction() as tx:
            with becoming(driver_of(tx), role=role, tenant=str(tenant_id)):
                yield tx

    @asynccontextmanager
    async def statement(self) -> AsyncIterator[Transaction]:
        """One statement that is a transaction of its own."""
        async with self._watched(self._engine) as connection:
            yield connection

    async def run(self, work: Callable[[Transaction], Awaitable[T]]) -> T:
        """One statement, repeated if another transaction was in its way.

        Only for work that is that one statement: what it did is undone as a whole.
        """
        for _ in range(_MOST_REPEATS):
            try:
                async with self.statement() as tx:
                    return await work(tx)
            except InTheWay:
                continue
        async with self.statement() as tx:
            return await work(tx)

    @asynccontextmanager
    async def session_lock(self, name: str) -> AsyncIterator[Transaction | None]:
        """Hold an advisory lock for as long as its connection lives.

        Gives the connection (autocommit), or None while another session holds
        the lock. A lost connection is a lost lock, so work under the lock uses
        this very connection. It is one beside the pool.
        """
        try:
            async with self._locks.connect() as connection:
                lock = {"name": name}
                async with _ending_in_doubt(connection):
                    held = await connection.scalar(text(_TRY_LOCK), lock)
                if not held:
                    yield None
                    return
                try:
                    yield connection
                finally:
                    async with _ending_in_doubt(connection):
                        await _release(connection, lock)
        except _LOST as error:
            raise _unavailable(error) from error

    async def ping(self) -> None:
        async with self.statement() as tx:
            await tx.execute(text("SELECT 1"))

    async def close(self) -> None:
        await self._vigil.close()
        await self._locks.dispose()
        await self._engine.dispose()

    @asynccontextmanager
    async def _watched(self, engine: AsyncEngine) -> AsyncIterator[Transaction]:
        """A connection for one use, which the vigil may end."""
        try:
            use = self._vigil.begin()
            try:
                async with connected(engine, use) as connection:
                    yield connection
            finally:
                self._vigil.done(use)
        except (*_LOST, Away) as error:
            raise _unavailable(error) from error


_TRY_LOCK: Final = "SELECT pg_try_advisory_lock(hashtextextended(:name, 0))"
_LOST = (
    exc.OperationalError,
    exc.InterfaceError,
    exc.InternalError,
    exc.TimeoutError,
    psycopg.OperationalError,
    NoConnection,
)
_OF_SQLSTATE: Final[dict[str | None, type[DatabaseUnavailable]]] = {
    "53100": StorageFull,
    "40001": InTheWay,
    "40P01": InTheWay,
}


def _unavailable(error: BaseException) -> Exception:
    """The error for our callers; a statement that ran into its time limit too."""
    code = getattr(getattr(error, "orig", None), "sqlstate", None)
    family = _OF_SQLSTATE.get(code, DatabaseUnavailable)
    return family(f"Postgres: {type(error).__name__}")


@asynccontextmanager
async def _ending_in_doubt(connection: Transaction) -> AsyncIterator[None]:
    """Where taking or releasing fails, nobody knows whether the session has the lock.

    Back in the pool it would keep it from everybody until the process ends.
    """
    try:
        yield
    except BaseException:
        await connection.invalidate()
        raise


async def _release(connection: Transaction, lock: dict[str, Any]) -> None:
    if connection.invalidated or connection.closed:
        return  # the lock ended with its connection
    await connection.execute(
        text("SELECT pg_advisory_unlock(hashtextextended(:name, 0))"), lock
    )
