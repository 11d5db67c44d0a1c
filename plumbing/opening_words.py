"""What a transaction is told before its first statement, in one journey with it.

A SELECT of its own would cost each short transaction a round trip. So the words go out
in the same pipeline as BEGIN and the first statement. Who opens transactions, and what
is said, is `database`'s.
"""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from typing import Any, Final

import psycopg

_Cursor = psycopg.AsyncCursor[Any]
_BECOME: Final = (
    "SELECT set_config('role', %s, true), set_config('app.tenant', %s, true)"
)


@contextmanager
def becoming(
    connection: psycopg.AsyncConnection[Any], *, role: str, tenant: str
) -> Iterator[None]:
    """Let the transaction that begins now act as `role`, for `tenant`, to its end."""
    usual: Any = connection.cursor_factory
    first: Any = partial(_FirstCursor, words=(role, tenant), usual=usual)
    connection.cursor_factory = first
    try:
        yield
    finally:
        connection.cursor_factory = usual


class _FirstCursor(_Cursor):
    """The cursor of the first statement; those after it are the usual ones."""

    def __init__(
        self,
        connection: psycopg.AsyncConnection[Any],
        *,
        words: Sequence[str],
        usual: type[_Cursor],
        **rest: Any,
    ) -> None:
        super().__init__(connection, **rest)
        self._words = words
        self._usual = usual

    async def execute(
        self, query: Any, params: Any = None, **rest: Any
    ) -> "_FirstCursor":
        connection: Any = self.connection
        connection.cursor_factory = self._usual
        async with self.connection.pipeline():
            await self.connection.execute(_BECOME, self._words)
            await super().execute(query, params, **rest)
        return self
