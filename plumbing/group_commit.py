"""Many callers, one transaction: rows that wait are written together.

While one group is being written the next one gathers, so groups grow with the
load by themselves and a lone caller hardly waits. Where nobody waits for the answer,
a pause before each group makes them larger still. What a row means and how a group is
written is the caller's `flush`.
"""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from datetime import timedelta
from typing import Generic, TypeVar

from plumbing.database import DatabaseUnavailable, RowRefused

Row = TypeVar("Row")
Outcome = TypeVar("Outcome")


class GroupCommit(Generic[Row, Outcome]):
    """Gather rows and flush them in groups, in the order they came.

    `flush` gets up to `max_rows` rows and returns one outcome for each. When the
    database refuses a group for what one row says, the rows are tried one by
    one, so that only the culprit's caller sees the error. A lost connection is
    not retried: nobody knows whether the commit happened. A row whose caller has
    left before its group began is not written. Who waits longer than `patience`, as
    behind a commit that hangs, is told `DatabaseUnavailable`.
    """

    def __init__(
        self,
        flush: Callable[[Sequence[Row]], Awaitable[Sequence[Outcome]]],
        *,
        max_rows: int = 128,
        linger: timedelta = timedelta(0),
        patience: timedelta | None = None,
    ) -> None:
        self._flush = flush
        self._linger = linger.total_seconds()
        self._patience = None if patience is None else patience.total_seconds()
        self._max_rows = max_rows
        self._waiting: list[tuple[Row, asyncio.Future[Outcome]]] = []
        self._draining: asyncio.Task[None] | None = None

    async def put(self, row: Row) -> Outcome:
        """Write the row with its neighbours; returns when it is committed."""
        loop = asyncio.get_running_loop()
        future: asyncio.Future[Outcome] = loop.create_future()
        self._waiting.append((row, future))
        if self._draining is None:
            self._draining = loop.create_task(self._drain())
        if self._patience is None:
            return await future
        too_late = loop.call_later(self._patience, _give_up, future)
        try:
            return await future
        finally:
            too_late.cancel()

    async def _drain(self) -> None:
        try:
            while self._waiting:
                # Even without linger one turn of the loop lets callers that are ready
                # join this group.
                await asyncio.sleep(self._linger)
                group = self._waiting[: self._max_rows]
                del self._waiting[: self._max_rows]
                wanted = [member for member in group if not member[1].done()]
                if wanted:
                    await self._write(wanted)
        finally:
            self._draining = None

    async def _write(self, group: list[tuple[Row, asyncio.Future[Outcome]]]) -> None:
        try:
            outcomes = await self._flush([row for row, _ in group])
        except RowRefused as error:
            if len(group) == 1:
                _fail(group, error)
                return
            for member in group:
                await self._write([member])
        except BaseException as error:
            _fail(group, error)
            if not isinstance(error, Exception):
                raise
        else:
            for (_, future), outcome in zip(group, outcomes, strict=True):
                if not future.done():
                    future.set_result(outcome)


def _fail(
    group: list[tuple[Row, asyncio.Future[Outcome]]], error: BaseException
) -> None:
    for _, future in group:
        if not future.done():
            future.set_exception(error)


def _give_up(future: asyncio.Future[Outcome]) -> None:
    if not future.done():
        future.set_exception(DatabaseUnavailable("Postgres: no commit in time"))
