"""Tells Prometheus how old things are: due jobs, hints, deliveries, dead rows, snapshots.

Every dispatcher surveys by itself, without a lock: what a survey tells is never older
than its interval, whoever does the work. Each question reads a bounded number of rows.
"""

import asyncio
from datetime import timedelta
from typing import Final

from jobs.store.lateness_store import read_lateness
from jobs.store.line_store import oldest_due_age_seconds
from jobs.store.outbox_store import oldest_age_seconds
from plumbing.database import Database, DatabaseUnavailable
from plumbing.database_facts import count_dead_rows, oldest_snapshot_seconds
from plumbing.repeating import repeat
from workers.dispatcher import metrics

_REST: Final = timedelta(seconds=10)
# Those whose rows come and go with every job.
_BUSY_TABLES: Final = ("job", "chunk", "event", "delivery", "outbox", "lane")


class SurveyLoop:
    def __init__(self, database: Database) -> None:
        self._database = database

    async def run(self, stop: asyncio.Event) -> None:
        await repeat(
            self.run_once,
            name="survey",
            rest=_REST,
            stop=stop,
            outages=(DatabaseUnavailable,),
        )

    async def run_once(self) -> bool:
        async with self._database.transaction() as tx:
            metrics.DUE_AGE.set(await oldest_due_age_seconds(tx))
            metrics.OUTBOX_AGE.set(await oldest_age_seconds(tx))
            lateness = await read_lateness(tx)
            metrics.OLDEST_SNAPSHOT.set(await oldest_snapshot_seconds(tx))
            dead = await count_dead_rows(tx, _BUSY_TABLES)
        metrics.DELIVERY_AGE.set(lateness.oldest_seconds)
        metrics.DELIVERY_LANES_LATE.set(lateness.late_lanes)
        for table, count in dead.items():
            metrics.DEAD_ROWS.labels(table=table).set(count)
        return False
