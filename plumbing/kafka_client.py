"""Kafka as the rest of the house sees it: send many, poll, commit; asynchronous.

The only file that imports the Kafka library. The library blocks (even `send` does,
while it looks for the topic's leader), so each client does all its work in one thread
of its own. Every failure of the library leaves here as `KafkaUnavailable`. What a
record says, and what to do with one, is left to the callers; topics and committed
positions are looked after in `kafka_topics`.
"""

from collections.abc import Callable, Iterable, Sequence
from contextlib import suppress
from datetime import timedelta
from typing import Any, Final, TypeVar

import structlog
from kafka import (  # type: ignore[import-untyped]
    ConsumerRebalanceListener,
    KafkaAdminClient,
    KafkaConsumer,
    KafkaProducer,
    OffsetAndMetadata,
    TopicPartition,
)
from kafka.errors import (  # type: ignore[import-untyped]
    CommitFailedError,
    KafkaError,
    KafkaTimeoutError,
    RebalanceInProgressError,
)

from plumbing.kafka_connection import connect
from plumbing.kafka_records import KafkaUnavailable, Received, Record
from plumbing.own_thread import OwnThread
from plumbing.settings import KafkaSettings

T = TypeVar("T")
Partition: Final = TopicPartition  # for those who do not import the library

log = structlog.get_logger()

_METADATA_MS: Final = 2_000
_REQUEST_MS: Final = 3_000
_DELIVERY_MS: Final = 6_000
# Longer, so that each record has failed by itself before the wait for all ends.
_FLUSH_MS: Final = 8_000
_COMMIT_MS: Final = 5_000
_CLOSE_MS: Final = 5_000
# How long the partitions of a member that was killed stay without a reader.
_SESSION_MS: Final = 15_000
_HEARTBEAT_MS: Final = 3_000


class HintProducer:
    """Sends records and waits until Kafka has them all."""

    def __init__(self, settings: KafkaSettings) -> None:
        self._settings = settings
        self._thread = _thread("kafka-producer")
        self._producer: KafkaProducer | None = None

    async def start(self) -> None:
        await self._thread.run(self._connect)

    async def send_many(self, topic: str, records: Sequence[Record]) -> None:
        """Return when every record is acknowledged by all in-sync replicas.

        Raises KafkaUnavailable otherwise; some of the records may have arrived, so
        the caller sends all of them again.
        """
        await self._thread.run(lambda: self._send(topic, records))

    async def close(self) -> None:
        await self._thread.run(self._discard)
        self._thread.end()

    def _connect(self) -> KafkaProducer:
        if self._producer is None:
            self._producer = connect(
                KafkaProducer,
                self._settings,
                acks="all",
                allow_auto_create_topics=False,
                max_block_ms=_METADATA_MS,
                request_timeout_ms=_REQUEST_MS,
                delivery_timeout_ms=_DELIVERY_MS,
                metrics_enabled=False,
            )
        return self._producer

    def _send(self, topic: str, records: Sequence[Record]) -> None:
        producer = self._connect()
        try:
            futures = [
                producer.send(topic, r.value, key=r.key, headers=list(r.headers))
                for r in records
            ]
            producer.flush(timeout=_FLUSH_MS / 1000)
            for future in futures:
                future.get(timeout=0)
        except KafkaError:
            # Its queue still holds what failed: the next try starts from nothing.
            producer._sender.force_close()  # noqa: SLF001  close() would wait for it
            self._discard()
            raise

    def _discard(self) -> None:
        producer, self._producer = self._producer, None
        if producer is not None:
            with suppress(KafkaTimeoutError):  # what it still held is given up
                producer.close(timeout=_CLOSE_MS / 1000)


class HintConsumer:
    """A member of the consumer group; nothing is committed but by `commit`."""

    def __init__(self, settings: KafkaSettings, *, topic: str) -> None:
        self._settings = settings
        self._topic = topic
        self._thread = _thread("kafka-consumer")
        self._consumer: KafkaConsumer | None = None
        self._is_paused = False

    async def start(self) -> None:
        await self._thread.run(self._connect)

    async def poll(self, *, max_records: int, timeout: timedelta) -> list[Received]:  # noqa: ASYNC109  Kafka waits, not we
        """Wait for records, at most `max_records` of them.

        With 0 it fetches nothing and keeps the membership alive: a member that does
        not poll loses its partitions.
        """
        timeout_ms = int(timeout.total_seconds() * 1000)
        return await self._thread.run(lambda: self._poll(max_records, timeout_ms))

    async def commit(self, received: Sequence[Received]) -> None:
        """Commit the position after the last of these in each partition.

        A partition that meanwhile went to another member is not an error: that one
        reads the same records again.
        """
        offsets = _positions_after(received)
        if offsets:
            await self._thread.run(lambda: self._commit(offsets))

    async def close(self) -> None:
        """Leave the group, so that others need not wait for the session to end."""
        await self._thread.run(self._leave)
        self._thread.end()

    def _connect(self) -> KafkaConsumer:
        if self._consumer is None:
            self._consumer = connect(
                KafkaConsumer,
                self._settings,
                group_id=self._settings.kafka_group,
                enable_auto_commit=False,
                auto_offset_reset="earliest",
                allow_auto_create_topics=False,
                session_timeout_ms=_SESSION_MS,
                heartbeat_interval_ms=_HEARTBEAT_MS,
                metrics_enabled=False,
            )
            self._consumer.subscribe([self._topic], listener=_PauseOnAssignment(self))
        return self._consumer

    def _poll(self, max_records: int, timeout_ms: int) -> list[Received]:
        consumer = self._connect()
        self._is_paused = max_records == 0
        if self._is_paused:
            consumer.pause(*consumer.assignment())
        else:
            consumer.resume(*consumer.paused())
        batches = consumer.poll(timeout_ms=timeout_ms, max_records=max_records or 1)
        return [receive(record) for batch in batches.values() for record in batch]

    def _commit(self, offsets: dict[TopicPartition, OffsetAndMetadata]) -> None:
        try:
            self._connect().commit(offsets, timeout_ms=_COMMIT_MS)
        except (CommitFailedError, RebalanceInProgressError) as error:
            # The hints were handed over; that they come again is harmless.
            log.warning("hints.commit_lost", reason=type(error).__name__)

    def _leave(self) -> None:
        consumer, self._consumer = self._consumer, None
        if consumer is not None:
            consumer.close(autocommit=False, timeout_ms=_CLOSE_MS)

    def pause_new(self, partitions: Iterable[TopicPartition]) -> None:
        if self._is_paused and self._consumer is not None:
            self._consumer.pause(*partitions)


class _PauseOnAssignment(ConsumerRebalanceListener):  # type: ignore[misc]
    """Kafka hands newly assigned partitions over unpaused."""

    def __init__(self, consumer: HintConsumer) -> None:
        self._consumer = consumer

    def on_partitions_revoked(self, revoked: Iterable[TopicPartition]) -> None:
        pass

    def on_partitions_assigned(self, assigned: Iterable[TopicPartition]) -> None:
        self._consumer.pause_new(assigned)


async def administer(settings: KafkaSettings, call: Callable[[Any], T]) -> T:
    """Run one piece of work with an admin client that lives as long as the work."""
    return await _with_one(KafkaAdminClient, settings, call)


async def look_into(settings: KafkaSettings, call: Callable[[Any], T]) -> T:
    """The same with a consumer: by default one of no group, which commits nothing."""
    return await _with_one(KafkaConsumer, settings, call)


async def _with_one(kind: Any, settings: KafkaSettings, call: Callable[[Any], T]) -> T:
    def connect_and_call() -> T:
        client = connect(kind, settings)
        try:
            return call(client)
        finally:
            client.close()

    thread = _thread(f"kafka-{kind.__name__}")
    try:
        return await thread.run(connect_and_call)
    finally:
        thread.end()


def _thread(name: str) -> OwnThread:
    return OwnThread(name, failure=KafkaError, told_as=KafkaUnavailable)


def receive(record: Any) -> Received:
    place = (record.topic, record.partition, record.offset)
    return Received(*place, record.key, record.value, tuple(record.headers))


def _positions_after(
    received: Sequence[Received],
) -> dict[TopicPartition, OffsetAndMetadata]:
    last: dict[TopicPartition, int] = {}
    for each in received:
        partition = TopicPartition(each.topic, each.partition)
        last[partition] = max(each.offset, last.get(partition, 0))
    return {
        partition: OffsetAndMetadata(offset + 1, "", -1)
        for partition, offset in last.items()
    }
