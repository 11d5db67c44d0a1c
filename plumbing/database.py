"""The connection to Postgres; the only file that opens transactions and commits.

Two shapes are offered. `transaction()` is BEGIN ... COMMIT for several
statements that stand or fall together. `statement()` is for one statement that
is its own transaction, which saves two round trips. Outside calls (engine,
Kafka, webhooks) never happen inside either.
"""

import asyncio
import os
import socket
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager, suppress
from datetime import timedelta
from typing import Any, Final

import psycopg
from sqlalchemy import event, exc, text
from sqlalchemy.engine import ExceptionContext, make_url
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine, create_async_engine

Transaction = AsyncConnection

RowRefused = (exc.IntegrityError, exc.DataError)
"""The database refused what a row says; the same row would be refused again."""

_CONNECT_SECONDS: Final = 2
_SILENCE_SECONDS: Final = 1.0
"""Beyond the limit that Postgres keeps itself: who is silent for longer is frozen."""


class DatabaseUnavailable(Exception):
    """Postgres does not answer, or the answer of a COMMIT was lost.

    What was asked may or may not have been done: callers repeat it under the
    same key or leave it to the lease.
    """


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
    ) -> None:
        milliseconds = int(statement_timeout.total_seconds() * 1000)
        self._longest_silence = statement_timeout.total_seconds() + _SILENCE_SECONDS
        self._engine: AsyncEngine = create_async_engine(
            async_url(url),
            pool_size=pool_size,
            max_overflow=0,
            pool_timeout=_CONNECT_SECONDS,
            pool_pre_ping=False,
            # An error's message must not bring addresses and metadata into a log.
            hide_parameters=True,
            # Every use ends in COMMIT, ROLLBACK or autocommit: nothing to reset.
            pool_reset_on_return=None,
            # What nearly all uses need; changing it costs a third of a short one.
            isolation_level="AUTOCOMMIT",
            connect_args={
                "connect_timeout": _CONNECT_SECONDS,
                "prepare_threshold": 2,
                "application_name": application,
                "options": f"-c statement_timeout={milliseconds} -c timezone=UTC",
            },
        )
        event.listen(self._engine.sync_engine, "handle_error", _leave_if_it_only_reads)
        self._transactional = self._engine.execution_options(
            isolation_level="READ COMMITTED"
        )

    @asynccontextmanager
    async def transaction(self) -> AsyncIterator[Transaction]:
        """Several statements that stand or fall together, committed on leaving."""
        try:
            async with (
                self._transactional.connect() as connection,
                connection.begin(),
            ):
                with _hanging_up(connection, after=self._longest_silence):
                    yield connection
        except _LOST as error:
            raise _unavailable(error) from error

    @asynccontextmanager
    async def statement(self) -> AsyncIterator[Transaction]:
        """One statement that is a transaction of its own."""
        try:
            async with self._engine.connect() as connection:
                with _hanging_up(connection, after=self._longest_silence):
                    yield connection
        except _LOST as error:
            raise _unavailable(error) from error

    @asynccontextmanager
    async def session_lock(self, name: str) -> AsyncIterator[Transaction | None]:
        """Hold an advisory lock for as long as its connection lives.

        Gives the connection (autocommit), or None while another session holds
        the lock. A lost connection is a lost lock, so work under the lock uses
        this very connection.
        """
        try:
            async with self._engine.connect() as connection:
                lock = {"name": name}
                held = await connection.scalar(text(_TRY_LOCK), lock)
                if not held:
                    yield None
                    return
                try:
                    yield connection
                finally:
                    await _release(connection, lock)
        except _LOST as error:
            raise _unavailable(error) from error

    async def ping(self) -> None:
        async with self.statement() as tx:
            await tx.execute(text("SELECT 1"))

    async def close(self) -> None:
        await self._engine.dispose()


_TRY_LOCK: Final = "SELECT pg_try_advisory_lock(hashtextextended(:name, 0))"
_LOST = (
    exc.OperationalError,
    exc.InterfaceError,
    exc.InternalError,
    exc.TimeoutError,
    psycopg.OperationalError,
)


def _leave_if_it_only_reads(context: ExceptionContext) -> None:
    """A primary that became a standby keeps its sessions: they must not be kept here."""
    if isinstance(context.original_exception, psycopg.errors.ReadOnlySqlTransaction):
        context.is_disconnect = True


def _unavailable(error: BaseException) -> Exception:
    """The error for our callers; a statement that ran into its time limit too."""
    return DatabaseUnavailable(f"Postgres: {type(error).__name__}")


@contextmanager
def _hanging_up(connection: Transaction, *, after: float) -> Iterator[None]:
    """End the connection under a use that lasts too long, which ends the use.

    A cancellation would not do it soon: psycopg asks the server to cancel and waits ten
    seconds for its word.
    """
    driver = _driver_of(connection)
    timer = asyncio.get_running_loop().call_later(after, _hang_up, driver)
    try:
        yield
    finally:
        timer.cancel()


def _driver_of(connection: Transaction) -> psycopg.AsyncConnection[Any]:
    held = connection.sync_connection
    driver: Any = held and held.connection.driver_connection
    return driver  # type: ignore[no-any-return]


def _hang_up(driver: psycopg.AsyncConnection[Any]) -> None:
    with (
        suppress(OSError, psycopg.Error),
        socket.socket(fileno=os.dup(driver.fileno())) as line,
    ):
        line.shutdown(socket.SHUT_RDWR)


async def _release(connection: Transaction, lock: dict[str, Any]) -> None:
    if connection.invalidated or connection.closed:
        return  # the lock ended with its connection
    await connection.execute(
        text("SELECT pg_advisory_unlock(hashtextextended(:name, 0))"), lock
    )
