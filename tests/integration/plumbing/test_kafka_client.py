"""Our Kafka client against a real broker: groups, commits, back-pressure, absence."""

import asyncio
import os
import signal
import socket
import subprocess
import sys
import time
import uuid
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import timedelta
from typing import Any

import pytest

from plumbing.kafka_client import HintConsumer, HintProducer
from plumbing.kafka_records import KafkaUnavailable, Received, Record
from plumbing.kafka_topics import committed_offsets, ensure_topics
from plumbing.settings import KafkaSettings

SHORT = timedelta(milliseconds=300)
PARTITIONS = 4


@pytest.fixture
async def settings(kafka_bootstrap: str) -> KafkaSettings:
    name = uuid.uuid4().hex[:8]
    made = KafkaSettings(
        kafka_bootstrap=kafka_bootstrap,
        kafka_topic=f"hints-{name}",
        kafka_group=f"group-{name}",
    )
    await ensure_topics(made, [made.kafka_topic], partitions=PARTITIONS)
    return made


@asynccontextmanager
async def consuming(settings: KafkaSettings) -> AsyncIterator[HintConsumer]:
    consumer = HintConsumer(settings, topic=settings.kafka_topic)
    await consumer.start()
    try:
        yield consumer
    finally:
        await consumer.close()


async def send(settings: KafkaSettings, values: range) -> None:
    producer = HintProducer(settings)
    records = [Record(str(n).encode(), b"%d" % n) for n in values]
    try:
        await producer.send_many(settings.kafka_topic, records)
    finally:
        await producer.close()


async def receive(consumer: HintConsumer, count: int) -> list[Received]:
    received: list[Received] = []
    deadline = time.monotonic() + 20
    while len(received) < count and time.monotonic() < deadline:
        received += await consumer.poll(max_records=500, timeout=SHORT)
    return received


def numbers(received: list[Received]) -> list[int]:
    return sorted(int(each.value or b"-1") for each in received)


async def test_what_was_sent_arrives_with_key_and_headers(
    settings: KafkaSettings,
) -> None:
    producer = HintProducer(settings)
    await producer.start()
    record = Record(b"key", b"value", (("trace", b"abc"),))
    await producer.send_many(settings.kafka_topic, [record])
    await producer.close()
    async with consuming(settings) as consumer:
        [received] = await receive(consumer, 1)
    assert (received.key, received.value) == (b"key", b"value")
    assert received.headers == (("trace", b"abc"),)
    assert received.topic == settings.kafka_topic


async def test_a_new_member_goes_on_after_what_was_committed(
    settings: KafkaSettings,
) -> None:
    await send(settings, range(100))
    async with consuming(settings) as first:
        received = await receive(first, 100)
        assert numbers(received) == list(range(100))
        kept_back = max(each.offset for each in received if each.partition == 0)
        handed_over = [
            each
            for each in received
            if not (each.partition == 0 and each.offset == kept_back)
        ]
        await first.commit(handed_over)
    committed = await committed_offsets(settings, settings.kafka_topic)
    assert committed[0] == kept_back
    assert sum(committed.values()) == 99
    async with consuming(settings) as second:
        again = await receive(second, 1)
    assert [(each.partition, each.offset) for each in again] == [(0, kept_back)]


async def test_nothing_is_committed_unasked(settings: KafkaSettings) -> None:
    await send(settings, range(5))
    async with consuming(settings) as consumer:
        await receive(consumer, 5)
    assert await committed_offsets(settings, settings.kafka_topic) == {}


async def test_no_more_records_come_than_there_is_room(
    settings: KafkaSettings,
) -> None:
    await send(settings, range(50))
    async with consuming(settings) as consumer:
        received: list[Received] = []
        while len(received) < 50:
            batch = await consumer.poll(max_records=7, timeout=SHORT)
            assert len(batch) <= 7
            received += batch
    assert numbers(received) == list(range(50))


async def test_without_room_nothing_comes_and_nothing_is_lost(
    settings: KafkaSettings,
) -> None:
    await send(settings, range(20))
    async with consuming(settings) as consumer:
        first = await consumer.poll(max_records=1, timeout=timedelta(seconds=10))
        for _ in range(3):
            assert await consumer.poll(max_records=0, timeout=SHORT) == []
        rest = await receive(consumer, 19)
    assert numbers(first + rest) == list(range(20))


async def test_partitions_that_arrive_while_there_is_no_room_stay_paused(
    settings: KafkaSettings,
) -> None:
    async with consuming(settings) as staying:
        async with consuming(settings) as leaving:
            await until_shared(staying, leaving)
            await send(settings, range(40))
        deadline = time.monotonic() + 20
        while len(partitions_of(staying)) < PARTITIONS:
            assert time.monotonic() < deadline
            assert await staying.poll(max_records=0, timeout=SHORT) == []
        assert await staying.poll(max_records=0, timeout=SHORT) == []
        assert numbers(await receive(staying, 40)) == list(range(40))


async def until_shared(one: HintConsumer, other: HintConsumer) -> None:
    deadline = time.monotonic() + 20
    while {len(partitions_of(one)), len(partitions_of(other))} != {PARTITIONS // 2}:
        assert time.monotonic() < deadline
        await asyncio.gather(
            one.poll(max_records=0, timeout=SHORT),
            other.poll(max_records=0, timeout=SHORT),
        )


def partitions_of(consumer: HintConsumer) -> set[object]:
    assert consumer._consumer is not None
    return set(consumer._consumer.assignment())


async def test_a_commit_that_a_rebalance_overtook_is_no_error(
    settings: KafkaSettings,
) -> None:
    await send(settings, range(20))
    async with consuming(settings) as slow:
        received = await receive(slow, 20)
        async with consuming(settings) as other:
            # The broker moves on to a new generation without the slow member.
            task = asyncio.create_task(receive(other, 1))
            await slow.poll(max_records=0, timeout=SHORT)
            await slow.commit(received)
            await receive(slow, 0)
            task.cancel()
        # Whether the commit counted or not, every hint can still be had.
        committed = await committed_offsets(settings, settings.kafka_topic)
        assert sum(committed.values()) in {0, 20}


async def test_a_member_that_leaves_hands_its_partitions_over_at_once(
    settings: KafkaSettings,
) -> None:
    async with consuming(settings) as leaving:
        await leaving.poll(max_records=0, timeout=timedelta(seconds=5))
    await send(settings, range(10))
    started = time.monotonic()
    async with consuming(settings) as next_member:
        assert numbers(await receive(next_member, 10)) == list(range(10))
    assert time.monotonic() - started < 8  # a dead member's session is 15 s


async def test_topics_may_be_ensured_twice(settings: KafkaSettings) -> None:
    await ensure_topics(settings, [settings.kafka_topic], partitions=PARTITIONS)


async def test_an_unknown_topic_makes_sending_fail_soon(
    settings: KafkaSettings,
) -> None:
    producer = HintProducer(settings)
    started = time.monotonic()
    with pytest.raises(KafkaUnavailable):
        await producer.send_many("never-made", [Record(None, b"x")])
    assert time.monotonic() - started < 5
    await producer.send_many(settings.kafka_topic, [Record(None, b"x")])
    await producer.close()


async def test_a_frozen_broker_is_noticed_and_then_served_again(
    settings: KafkaSettings, servers: Any
) -> None:
    producer = HintProducer(settings)
    await producer.send_many(settings.kafka_topic, [Record(None, b"9")])
    records = [Record(None, b"%d" % n) for n in range(3)]
    broker = servers._supervisor.pids["kafka"]
    os.kill(broker, signal.SIGSTOP)
    try:
        started = time.monotonic()
        with pytest.raises(KafkaUnavailable):
            await producer.send_many(settings.kafka_topic, records)
        assert time.monotonic() - started < 20  # delivery, then giving up
    finally:
        os.kill(broker, signal.SIGCONT)
    await producer.send_many(settings.kafka_topic, records)
    await producer.close()
    async with consuming(settings) as consumer:
        received = numbers(await receive(consumer, 4))
    assert {0, 1, 2, 9} <= set(received)  # the first try may have arrived as well


# In a process of its own: the library leaves refused sockets to the collector, which
# pytest would blame on whichever test runs at that moment.
AWAY = """
import asyncio, gc, os, sys, threading
from plumbing.kafka_client import HintConsumer, HintProducer
from plumbing.kafka_records import KafkaUnavailable
from plumbing.settings import KafkaSettings

async def main():
    settings = KafkaSettings(kafka_bootstrap=sys.argv[1])
    clients = [HintProducer(settings), HintConsumer(settings, topic="any")]
    for client in clients:
        try:
            await client.start()
        except KafkaUnavailable:
            print("unavailable")
        await client.close()

asyncio.run(main())
gc.collect()
print("threads", threading.active_count())
"""


def test_a_broker_that_is_away_is_told_and_leaves_no_threads_behind() -> None:
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        address = f"127.0.0.1:{unused.getsockname()[1]}"
        ended = subprocess.run(
            [sys.executable, "-c", AWAY, address],
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
    assert ended.stdout.split() == ["unavailable"] * 2 + ["threads", "1"]
