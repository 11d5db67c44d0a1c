"""F9: a record that is no hint of ours does not hold its partition up."""

import time
from datetime import timedelta
from uuid import UUID

import pytest

from plumbing.kafka_client import HintConsumer, HintProducer
from plumbing.kafka_records import Record
from tests.builders import A_TEXT
from tests.figures.conftest import OpenTier
from tests.figures.paced_engine import PacedEngine
from tests.figures.record import record
from tests.figures.tier import Shape, Tier
from tests.waiting import until

ROUNDS = 20
GOAL_SECONDS = 1.0
_POLL = timedelta(milliseconds=200)
POISONS = (
    b"\x00\xff\xfe not even text",
    b"{}",
    b'{"job_id": "nobody"}',
    b"[" * 100_000,
    b"x" * 900_000,
)
# Only by way of Kafka: nobody replaces a hint that is stuck behind a poison.
SHAPE = Shape(workers=1, partitions=1, settings={"PRECIS_HINT_PATIENCE": "PT1H"})
_STARTED = "SELECT started_at IS NOT NULL FROM job WHERE id = :id"


@pytest.mark.timeout(120)
async def test_f09_a_poison_record_holds_its_partition_up_for_less_than_a_second(
    batch_tier: OpenTier,
) -> None:
    async with batch_tier(PacedEngine(seconds=0.05), SHAPE) as tier:
        producer = HintProducer(tier.kafka)
        try:
            jobs, waits = await tier.stack.submit(A_TEXT), []
            await tier.wait_ended(jobs, seconds=20)  # the consumer is there
            for number in range(ROUNDS):
                poison = POISONS[number % len(POISONS)]
                waits.append(await _wait_behind(poison, tier, producer, jobs))
        finally:
            await producer.close()
        await tier.stack.wait_quiet(jobs)
        tier.stack.judge(jobs)
        buried = await _count_dead_letters(tier)
    waits.sort()
    assert buried == ROUNDS
    assert waits[-1] <= GOAL_SECONDS, waits
    record(
        figure="F9",
        what="poison records in Kafka, each with a job behind it on the one partition",
        size=f"{ROUNDS} records of {len(POISONS)} kinds, up to 900 kB",
        result={
            "median from record to the start of the job behind it, s": waits[
                ROUNDS // 2
            ],
            "worst, s": waits[-1],
            "dead letters": buried,
        },
        goal="the partition moves on within 1 s",
        command="make test-faults",
    )


async def _wait_behind(
    poison: bytes, tier: Tier, producer: HintProducer, jobs: list[UUID]
) -> float:
    """Seconds from the poison's arrival to the start of a job ordered after it."""
    await producer.send_many(tier.kafka.kafka_topic, [Record(key=None, value=poison)])
    began = time.monotonic()
    [job] = await tier.stack.submit(A_TEXT)
    jobs.append(job)

    async def has_started() -> bool:
        [(started,)] = await tier.ask(_STARTED, id=job)
        return bool(started)

    await until(has_started, what="the job behind the poison does not start")
    return time.monotonic() - began


async def _count_dead_letters(tier: Tier) -> int:
    reading = tier.kafka.model_copy(update={"kafka_group": "figures"})
    consumer = HintConsumer(reading, topic=tier.kafka.kafka_dead_letter_topic)
    found = 0

    async def all_found() -> bool:
        nonlocal found
        found += len(await consumer.poll(max_records=100, timeout=_POLL))
        return found >= ROUNDS

    try:
        await until(all_found, what="dead letters are missing")
    finally:
        await consumer.close()
    return found
