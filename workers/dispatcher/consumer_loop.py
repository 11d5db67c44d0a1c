"""Kafka to Celery, only while the batch tier has room: the backlog waits in Kafka.

Offsets are committed after the hand-over. A hint is dropped while nothing is due;
a record that is no hint of ours goes to the dead-letter topic and the partition
moves on.
"""

import asyncio
from collections.abc import Sequence
from datetime import timedelta
from typing import Final

import structlog

from jobs.batch_load import BatchLoad
from jobs.messages.hint import (
    MAX_JOBS_PER_MESSAGE,
    HintMalformed,
    decode_hint,
    split_claims,
)
from jobs.store.worker_store import read_load
from plumbing.database import Database, DatabaseUnavailable
from plumbing.failpoints import HINTS_HANDED_OVER, OFFSETS_COMMITTED, reach
from plumbing.kafka_client import HintConsumer, HintProducer
from plumbing.kafka_records import KafkaUnavailable, Received, Record
from plumbing.repeating import repeat
from workers.dispatcher import metrics
from workers.dispatcher.broker import Broker, BrokerUnavailable
from workers.dispatcher.room import find_room, message_size

_POLL: Final = timedelta(milliseconds=200)
_REST: Final = timedelta(milliseconds=20)
# With its new headers, a record of the largest size would be refused for ever.
_KEPT_BYTES: Final = 64 * 1024

log = structlog.get_logger()


class ConsumerLoop:
    def __init__(
        self,
        database: Database,
        consumer: HintConsumer,
        producer: HintProducer,
        broker: Broker,
        *,
        dead_letter_topic: str,
    ) -> None:
        self._database = database
        self._consumer = consumer
        self._producer = producer
        self._broker = broker
        self._dead_letter_topic = dead_letter_topic
        self._in_hand: Sequence[Received] = ()
        self._handed_over: Sequence[Received] = ()

    async def run(self, stop: asyncio.Event) -> None:
        await repeat(
            self.run_once,
            name="consumer",
            rest=_REST,
            stop=stop,
            outages=(DatabaseUnavailable, KafkaUnavailable, BrokerUnavailable),
        )

    async def run_once(self) -> bool:
        """Hand over one round of hints; False: rest, so that room can gather.

        Records that could not be handed over, or whose offsets could not be
        committed, are kept for the next round: an outage neither loses nor skips
        them, and hands none over twice.
        """
        await self._commit()
        is_roomy = True
        if not self._in_hand:
            room = await self._read_room()
            # Taken up as it comes free, room would go by ones and twos, each with a
            # message and a claim of its own.
            is_roomy = room >= MAX_JOBS_PER_MESSAGE
            received = await self._consumer.poll(
                max_records=room, timeout=_POLL if room else timedelta(0)
            )
            self._in_hand = received
            if not received:
                # Rests even with room: a poll that comes back at once, as one does
                # while the group changes, must not spin.
                return False
        await self._hand_over(self._in_hand)
        self._handed_over, self._in_hand = self._in_hand, ()
        await self._commit()
        return is_roomy

    async def _commit(self) -> None:
        if self._handed_over:
            await self._consumer.commit(self._handed_over)
            reach(OFFSETS_COMMITTED, KafkaUnavailable)
            self._handed_over = ()

    async def _read_room(self) -> int:
        load = await self._read_load()
        waiting = await self._broker.count_waiting()
        room = find_room(load, waiting_messages=waiting)
        metrics.ROOM.set(room)
        return room

    async def _read_load(self) -> BatchLoad:
        async with self._database.statement() as tx:
            return await read_load(tx, enough=1)

    async def _hand_over(self, received: Sequence[Received]) -> None:
        # Asked again: after the wait for records the first look is old.
        load = await self._read_load()
        job_ids, malformed = _decode(received)
        if malformed:
            await self._bury(malformed)
        if not job_ids or load.due == 0:
            metrics.HINTS_DROPPED.inc(len(job_ids))
            return
        size = message_size(len(job_ids), workers=load.workers)
        await self._broker.send(split_claims(job_ids, count=len(job_ids), size=size))
        reach(HINTS_HANDED_OVER, BrokerUnavailable)
        metrics.HINTS_HANDED_OVER.inc(len(job_ids))

    async def _bury(self, malformed: Sequence[tuple[Received, str]]) -> None:
        await self._producer.send_many(
            self._dead_letter_topic,
            [_dead_letter(record, reason) for record, reason in malformed],
        )
        metrics.DEAD_LETTERS.inc(len(malformed))
        for record, reason in malformed:
            log.warning(
                "hint.buried",
                partition=record.partition,
                offset=record.offset,
                reason=reason,
            )


def _decode(
    received: Sequence[Received],
) -> tuple[list[str], list[tuple[Received, str]]]:
    job_ids, malformed = [], []
    for record in received:
        try:
            job_ids.append(decode_hint(record.value).hex)
        except HintMalformed as error:
            malformed.append((record, str(error)))
    return job_ids, malformed


def _dead_letter(record: Received, reason: str) -> Record:
    """The record's beginning, with its size, where it came from and why it is here."""
    value = record.value or b""
    return Record(
        key=record.key and record.key[:_KEPT_BYTES],
        value=value[:_KEPT_BYTES],
        headers=(
            ("size", str(len(value)).encode()),
            ("origin", f"{record.topic}/{record.partition}/{record.offset}".encode()),
            ("error", reason.encode()),
        ),
    )
