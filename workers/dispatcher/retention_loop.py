"""Lets go by the clock: texts and summaries of ended jobs, old events, keys and workers.

One at a time, by an advisory lock; a round is a small batch of each kind, and rounds
follow one another at once while anything is left. What is due is `operations.retain`'s
matter: a round that fails, or never comes to its end, loses nothing but time.
"""

import asyncio
from datetime import timedelta
from typing import Final

import structlog

from jobs.operations.idempotency import MOST_FORGOTTEN, forget_old_keys
from jobs.operations.retain import (
    MOST_DROPPED,
    Kept,
    drop_events,
    drop_summaries,
    drop_texts,
    read_overdue_ages,
)
from jobs.store.worker_store import forget_lost_workers
from plumbing.database import Database, DatabaseUnavailable, Transaction
from plumbing.repeating import repeat
from workers.dispatcher import metrics

_REST: Final = timedelta(seconds=5)

log = structlog.get_logger()


class RetentionLoop:
    def __init__(self, database: Database, kept: Kept) -> None:
        self._database = database
        self._kept = kept

    async def run(self, stop: asyncio.Event) -> None:
        await repeat(
            self.run_once,
            name="retention",
            rest=_REST,
            stop=stop,
            outages=(DatabaseUnavailable,),
        )

    async def run_once(self) -> bool:
        """One batch of each kind; True: more is overdue. The lock is held for a round."""
        async with self._database.session_lock("retention") as connection:
            if connection is None:
                return False
            is_more = await self._drop(connection)
            await forget_lost_workers(connection)
            await self._tell(connection)
        return is_more

    async def _drop(self, connection: Transaction) -> bool:
        texts = await drop_texts(connection, self._kept)
        async with self._database.transaction() as tx:
            summaries = await drop_summaries(tx, self._kept)
        events = await drop_events(connection)
        keys = await forget_old_keys(connection)
        dropped = {"text": texts, "summary": summaries, "event": events, "key": keys}
        for kind, count in dropped.items():
            metrics.RETENTION_DROPPED.labels(kind=kind).inc(count)
        if any(dropped.values()):
            log.info("retention.dropped", rows=dropped)
        return max(texts, summaries, events) == MOST_DROPPED or keys == MOST_FORGOTTEN

    async def _tell(self, connection: Transaction) -> None:
        ages = await read_overdue_ages(connection, self._kept)
        metrics.RETENTION_OVERDUE.labels(kind="text").set(ages.text)
        metrics.RETENTION_OVERDUE.labels(kind="summary").set(ages.summary)
