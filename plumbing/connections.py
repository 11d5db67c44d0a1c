"""How connections to Postgres are opened, how one is taken, and when one is left.

A dead connection costs no request: the socket of a rested one is looked at before it
is used, and one that leads to a server that only reads is dropped. Transactions, and
who may use a connection for how long, are `database`'s.
"""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from datetime import timedelta
from functools import partial
from typing import Any, Final, TypeVar

import psycopg
from sqlalchemy import event, exc
from sqlalchemy.engine import ExceptionContext, make_url
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine, create_async_engine
from sqlalchemy.pool import ConnectionPoolEntry

from plumbing.sockets import hang_up, has_ended
from plumbing.vigil import Use

Driver = psycopg.AsyncConnection[Any]
T = TypeVar("T")

_CONNECT_SECONDS: Final = 2
_SOCKET_LIMITS: Final = {
    # A machine that is gone says no farewell: bytes that nobody takes, or a rest in
    # which nobody answers, end the connection.
    "tcp_user_timeout": 5000,  # milliseconds; the others are seconds
    "keepalives_idle": 10,
    "keepalives_interval": 2,
    "keepalives_count": 3,
}

# Each statement has its index. But a plan that was made while a table was empty reads
# it whole, and goes on to when ten thousand rows have come: half the speed, for minutes.
_SESSION: Final = "-c timezone=UTC -c enable_seqscan=off -c jit=off"


class NoConnection(Exception):
    """None was to be had, or the vigil ended the wait for it."""


class Opening:
    """What all connections of a process have in common."""

    def __init__(
        self, url: str, *, statement_timeout: timedelta, application: str
    ) -> None:
        milliseconds = int(statement_timeout.total_seconds() * 1000)
        self._options: dict[str, Any] = {
            "url": url,
            # An error's message must not bring addresses and metadata into a log.
            "hide_parameters": True,
            # What nearly all uses need; changing it costs a third of a short one.
            "isolation_level": "AUTOCOMMIT",
            "connect_args": {
                "connect_timeout": _CONNECT_SECONDS,
                "prepare_threshold": 2,
                "application_name": application,
                "options": f"-c statement_timeout={milliseconds} {_SESSION}",
                **_SOCKET_LIMITS,
            },
        }

    def pool(self, size: int) -> AsyncEngine:
        engine = create_async_engine(
            pool_size=size,
            max_overflow=0,
            pool_timeout=_CONNECT_SECONDS,
            pool_pre_ping=False,
            # Every use ends in COMMIT, ROLLBACK or autocommit: nothing to reset.
            pool_reset_on_return=None,
            **self._options,
        )
        event.listen(engine.sync_engine, "handle_error", _leave_if_it_only_reads)
        event.listen(engine.sync_engine.pool, "checkout", _leave_the_dead)
        return engine

    async def ask(self, use: Use) -> None:
        """Ask something trivial over a connection of its own; the use may be ended.

        By the driver alone: what SQLAlchemy asks of a server that it meets for the first
        time takes eight round trips more, and over a long line that looks like silence.
        """
        url = make_url(self._options["url"]).set(drivername="postgresql")
        opening = psycopg.AsyncConnection.connect(
            url.render_as_string(hide_password=False),
            autocommit=True,
            **self._options["connect_args"],
        )
        async with await _opened(opening, use, driver_of=lambda own: own) as connection:
            await connection.execute("SELECT 1")


@asynccontextmanager
async def connected(engine: AsyncEngine, use: Use) -> AsyncIterator[AsyncConnection]:
    """A connection whose use can be ended at any time: while it opens, then by socket.

    A cancellation would not do it soon: psycopg asks the server to cancel and waits ten
    seconds for its word.
    """
    connection = await _opened(engine.connect().start(), use, driver_of=driver_of)
    async with AsyncExitStack() as closing:
        closing.push_async_exit(connection)
        yield connection


async def _opened(
    opening: Awaitable[T], use: Use, *, driver_of: Callable[[T], Driver]
) -> T:
    """Wait for a connection; ending the use ends the wait, and later the connection."""
    try:
        async with asyncio.timeout(None) as limit:
            use.end = partial(limit.reschedule, 0)
            connection = await opening
            use.end = partial(hang_up, driver_of(connection))
    except (TimeoutError, exc.InvalidRequestError) as error:
        raise NoConnection from error
    if limit.when() is not None:
        use.end()  # once more, by socket: the first came as the connection opened
    return connection


def driver_of(connection: AsyncConnection) -> Driver:
    held = connection.sync_connection
    driver: Any = held and held.connection.driver_connection
    return driver  # type: ignore[no-any-return]


def _leave_if_it_only_reads(context: ExceptionContext) -> None:
    """A primary that became a standby keeps its sessions: they must not be kept here."""
    if isinstance(context.original_exception, psycopg.errors.ReadOnlySqlTransaction):
        context.is_disconnect = True


def _leave_the_dead(_adapted: Any, record: ConnectionPoolEntry, _: Any) -> None:
    """One that ended while it rested costs no request, and dates all others.

    Looking at the socket costs a microsecond; asking Postgres would cost a round trip.
    """
    driver: Any = record.driver_connection
    if has_ended(driver):
        raise exc.InvalidatePoolError
