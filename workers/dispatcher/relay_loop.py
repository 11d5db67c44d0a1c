"""Outbox to Kafka: send what was written with the jobs, then delete it.

One relay works at a time, by an advisory lock whose connection also reads and
deletes. No transaction is open while Kafka is asked. A crash between sending and
deleting doubles hints, which is harmless.
"""

import asyncio
from datetime import timedelta
from functools import partial
from typing import Final

from jobs.messages.hint import encode_hint
from jobs.store.outbox_store import OutboxRow, delete_sent, list_outbox
from plumbing.database import Database, DatabaseUnavailable, Transaction
from plumbing.failpoints import HINTS_SENT, reach
from plumbing.kafka_client import HintProducer
from plumbing.kafka_records import KafkaUnavailable, Record
from plumbing.repeating import repeat_while_locked
from workers.dispatcher import metrics

_ROWS_PER_ROUND: Final = 2000
_REST: Final = timedelta(milliseconds=25)
_STANDBY: Final = timedelta(seconds=2)


class RelayLoop:
    def __init__(
        self, database: Database, producer: HintProducer, *, topic: str
    ) -> None:
        self._database = database
        self._producer = producer
        self._topic = topic

    async def run(self, stop: asyncio.Event) -> None:
        await repeat_while_locked(
            self.run_once,
            lock=partial(self._database.session_lock, "outbox-relay"),
            standby=_STANDBY,
            name="relay",
            rest=_REST,
            stop=stop,
            outages=(DatabaseUnavailable, KafkaUnavailable),
        )

    async def run_once(self, connection: Transaction) -> bool:
        """Relay one round of hints; False: there were none."""
        rows = await list_outbox(connection, limit=_ROWS_PER_ROUND)
        if not rows:
            return False
        await self._producer.send_many(self._topic, [_record(row) for row in rows])
        reach(HINTS_SENT, KafkaUnavailable)
        await delete_sent(connection, rows)
        metrics.HINTS_RELAYED.inc(len(rows))
        return True


def _record(row: OutboxRow) -> Record:
    return Record(key=row.job_id.bytes, value=encode_hint(row.job_id))
