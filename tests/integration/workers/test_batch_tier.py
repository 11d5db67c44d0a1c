"""A job's way through the batch tier, on real parts and real processes."""

import asyncio
import json
import signal
import socket
import time
from datetime import timedelta
from itertools import pairwise
from typing import Any

import pytest
import redis.asyncio
from psycopg import AsyncConnection
from sqlalchemy import text
from sqlalchemy.engine import make_url

from jobs.lifecycle import State
from jobs.operations.cancel import cancel
from jobs.store.content_store import find_summary
from jobs.store.job_store import get_job
from jobs.store.sealed import JobSeal
from plumbing.kafka_client import HintConsumer, HintProducer
from plumbing.kafka_records import Record
from plumbing.kafka_topics import committed_offsets
from plumbing.sealing import MasterKey
from tests.builders import a_job, a_tenant, rows
from tests.integration.workers.conftest import BatchTier
from tests.scripted_engine import Call, completion, first_words
from tests.waiting import until
from workers.celery_app import QUEUE, TASK, create_celery

LONG_TEXT = "\n\n".join(
    f"Chapter {number}\n\n"
    + f"The bridge of town {number} is {number * 3} metres long. "
    "It was built of stone and wood by the people who lived there. " * 60
    for number in range(1, 21)
)


async def test_a_job_travels_from_the_outbox_to_its_summary(
    batch: BatchTier, master_key: MasterKey
) -> None:
    tenant = await a_tenant(batch.database)
    await batch.start_dispatcher()
    await batch.start_worker()
    job_id = await a_job(batch.database, tenant)

    assert await batch.wait_final(job_id) == {State.SUCCEEDED}
    async with batch.database.statement() as tx:
        job = await get_job(tx, job_id, tenant_id=tenant.id)
        sealed = await find_summary(tx, job_id)
    assert sealed is not None
    seal = JobSeal.unwrap(job_id, sealed.wrapped_key, master_key)
    assert seal.open_summary(sealed.summary).startswith("In short:")
    assert job.coverage == 1.0
    assert job.provenance is not None
    assert job.provenance["task_id"]
    offsets = await committed_offsets(batch.kafka, batch.kafka.kafka_topic)
    assert sum(offsets.values()) == 1
    assert await rows(batch.database, "SELECT count(*) FROM outbox") == [(0,)]


async def test_a_long_text_is_mapped_and_merged_with_full_coverage(
    batch: BatchTier,
) -> None:
    tenant = await a_tenant(batch.database)
    await batch.start_dispatcher()
    await batch.start_worker()
    job_id = await a_job(
        batch.database,
        tenant,
        text=LONG_TEXT,
        options={"length": "medium", "citations": True},
    )

    assert await batch.wait_final(job_id) == {State.SUCCEEDED}
    spans = await rows(
        batch.database,
        "SELECT start_offset, end_offset FROM chunk WHERE stage = 0 ORDER BY idx",
    )
    assert len(spans) > 10
    assert spans[0][0] == 0
    assert spans[-1][1] == len(LONG_TEXT)
    assert all(a[1] == b[0] for a, b in pairwise(spans))
    [merged] = await rows(
        batch.database, "SELECT max(stage) FROM chunk WHERE state = 'done'"
    )
    assert merged[0] >= 1
    assert await rows(batch.database, "SELECT count(*) FROM citation") == [(1,)]


async def test_the_reconciler_alone_is_not_needed(batch: BatchTier) -> None:
    """With a reconciler that never acts, hints alone bring a job through."""
    tenant = await a_tenant(batch.database)
    await batch.start_worker()
    await batch.start_dispatcher(PRECIS_RECONCILE_INTERVAL="PT1H")
    job_id = await a_job(batch.database, tenant)
    assert await batch.wait_final(job_id) == {State.SUCCEEDED}


async def test_the_hints_are_needed(batch: BatchTier) -> None:
    """Without consumer and reconciler nothing moves: the path is no decoration."""
    tenant = await a_tenant(batch.database)
    await batch.start_worker()
    producer = HintProducer(batch.kafka)
    job_id = await a_job(batch.database, tenant)
    [(row,)] = await rows(batch.database, "SELECT job_id FROM outbox")
    await producer.send_many(
        batch.kafka.kafka_topic,
        [Record(key=None, value=json.dumps({"v": 1, "job_id": row.hex}).encode())],
    )
    await producer.close()
    # Nothing to wait for but time itself: two heartbeats of the worker.
    seen = "SELECT count(*) FROM worker_process WHERE seen_at > :since"
    [(now,)] = await rows(batch.database, "SELECT clock_timestamp()")

    async def worker_beat_twice() -> bool:
        later = "SELECT clock_timestamp() > CAST(:now AS timestamptz) + interval '2 s'"
        return bool((await rows(batch.database, later, now=now))[0][0])

    await until(worker_beat_twice)
    assert await rows(batch.database, seen, since=now) == [(1,)]
    assert await batch.state(job_id) is State.QUEUED


async def test_lost_hints_are_replaced(batch: BatchTier) -> None:
    tenant = await a_tenant(batch.database)
    job_id = await a_job(batch.database, tenant)
    async with batch.database.statement() as tx:
        await tx.execute(text("DELETE FROM outbox"))
    await batch.start_worker()
    await batch.start_dispatcher(
        PRECIS_HINT_PATIENCE="PT0.5S", PRECIS_RECONCILE_INTERVAL="PT0.2S"
    )
    assert await batch.wait_final(job_id) == {State.SUCCEEDED}


async def read_dead_letters(batch: BatchTier, *, count: int) -> list[Any]:
    # In a group of its own: the dispatchers' leader knows nothing of this topic.
    apart = batch.kafka.model_copy(update={"kafka_group": "reader-of-the-dead"})
    dead = HintConsumer(apart, topic=batch.kafka.kafka_dead_letter_topic)
    buried: list[Any] = []

    async def all_buried() -> bool:
        buried.extend(await dead.poll(max_records=10, timeout=timedelta(seconds=1)))
        return len(buried) == count

    try:
        await until(all_buried, what="dead letters")
    finally:
        await dead.close()
    return buried


async def test_fault_kafka_garb_is_buried_and_the_partition_moves_on(
    batch: BatchTier,
) -> None:
    tenant = await a_tenant(batch.database)
    producer = HintProducer(batch.kafka)
    junk = [b"not json", b"{}", b'{"v": 99, "job_id": "x"}', b"\xff\xfe", b"[]"]
    await producer.send_many(
        batch.kafka.kafka_topic, [Record(key=None, value=value) for value in junk]
    )
    await producer.close()
    await batch.start_worker()
    await batch.start_dispatcher(PRECIS_RECONCILE_INTERVAL="PT1H")
    job_id = await a_job(batch.database, tenant)
    assert await batch.wait_final(job_id) == {State.SUCCEEDED}

    buried = await read_dead_letters(batch, count=len(junk))
    assert {record.value for record in buried} == set(junk)
    assert all(dict(record.headers)["error"] for record in buried)


async def test_fault_dispatcher_garb_of_the_largest_size_is_buried(
    batch: BatchTier,
) -> None:
    tenant = await a_tenant(batch.database)
    producer = HintProducer(batch.kafka)
    huge = b"x" * (2**20 - 100)
    await producer.send_many(batch.kafka.kafka_topic, [Record(key=b"k", value=huge)])
    await producer.close()
    await batch.start_worker()
    await batch.start_dispatcher(PRECIS_RECONCILE_INTERVAL="PT1H")
    job_ids = [await a_job(batch.database, tenant) for _ in range(8)]
    assert await batch.wait_final(*job_ids) == {State.SUCCEEDED}
    (buried,) = await read_dead_letters(batch, count=1)
    assert huge.startswith(buried.value)
    assert dict(buried.headers)["size"] == str(len(huge)).encode()


@pytest.mark.parametrize("seconds_ago", [60, -3600], ids=["earlier", "clock ahead"])
async def test_what_a_killed_worker_had_fetched_takes_no_room_for_long(
    batch: BatchTier, valkey_url: str, seconds_ago: float
) -> None:
    """Its messages stay among those nobody has started for an hour."""
    tenant = await a_tenant(batch.database)
    fetched_at = time.time() - seconds_ago
    async with redis.asyncio.Redis.from_url(valkey_url) as valkey:
        for number in range(40):
            await valkey.hset("unacked", f"tag-{number}", "[]")
            await valkey.zadd("unacked_index", {f"tag-{number}": fetched_at})
    await batch.start_worker()
    await batch.start_dispatcher()
    job_id = await a_job(batch.database, tenant)
    assert await batch.wait_final(job_id, seconds=10) == {State.SUCCEEDED}


async def test_fault_worker_garb_is_acknowledged(
    batch: BatchTier, valkey_url: str
) -> None:
    tenant = await a_tenant(batch.database)
    app = create_celery(valkey_url)
    for arguments in ([], ["x"], [{"v": 1, "up_to": 10**9, "job_ids": []}], [1, 2, 3]):
        await asyncio.to_thread(app.send_task, TASK, args=arguments)
    await asyncio.to_thread(app.send_task, "os.system", args=["true"])
    app.close()
    await batch.start_worker()
    await batch.start_dispatcher()
    job_id = await a_job(batch.database, tenant)
    assert await batch.wait_final(job_id) == {State.SUCCEEDED}
    async with redis.asyncio.Redis.from_url(valkey_url) as valkey:
        assert await valkey.llen("precis.batch") == 0


async def test_fault_worker_k9_is_resumed_without_repeating_chunks(
    batch: BatchTier,
) -> None:
    tenant = await a_tenant(batch.database)
    gate = asyncio.Event()

    async def slow_after_five(call: Call) -> tuple[int, dict[str, Any]]:
        if call.number > 5:
            await gate.wait()
        return await first_words(call)

    batch.engine.answer = slow_after_five
    await batch.start_dispatcher()
    doomed = await batch.start_worker()
    job_id = await a_job(batch.database, tenant, text=LONG_TEXT)

    async def five_stored() -> bool:
        stored = "SELECT count(*) FROM chunk WHERE state = 'done'"
        return bool((await rows(batch.database, stored))[0][0] >= 5)

    await until(five_stored)
    doomed.send_signal(signal.SIGKILL)
    doomed.wait()
    sections_before = {call.text for call in batch.engine.calls[:5]}
    calls_before = len(batch.engine.calls)
    gate.set()
    await batch.start_worker()
    assert await batch.wait_final(job_id, seconds=30) == {State.SUCCEEDED}
    repeated = {call.text for call in batch.engine.calls[calls_before:]}
    assert not sections_before & repeated


async def test_fault_worker_term_hands_its_job_back_and_burns_no_attempt(
    batch: BatchTier,
) -> None:
    tenant = await a_tenant(batch.database)
    gate = asyncio.Event()

    async def wait_for_gate(call: Call) -> tuple[int, dict[str, Any]]:
        await gate.wait()
        return await first_words(call)

    batch.engine.answer = wait_for_gate
    await batch.start_dispatcher()
    worker = await batch.start_worker()
    job_id = await a_job(batch.database, tenant)

    async def is_asked() -> bool:
        return bool(batch.engine.calls)

    await until(is_asked)
    assert await batch.stop(worker) == 0
    assert await rows(batch.database, "SELECT state, attempt FROM job") == [
        ("queued", 0)
    ]
    assert await rows(batch.database, "SELECT count(*) FROM worker_process") == [(0,)]
    gate.set()
    await batch.start_worker()
    assert await batch.wait_final(job_id) == {State.SUCCEEDED}


async def test_a_worker_that_meets_junk_in_the_queue_ends_and_hands_its_job_back(
    batch: BatchTier, valkey_url: str
) -> None:
    """Celery ends at it, and must not wait for the jobs of a process gone deaf."""
    asked = asyncio.Event()

    async def never(_: Call) -> tuple[int, dict[str, Any]]:
        asked.set()
        return await asyncio.Future()

    batch.engine.answer = never
    await batch.start_dispatcher()
    worker = await batch.start_worker()
    await a_job(batch.database, await a_tenant(batch.database))
    async with asyncio.timeout(20):
        await asked.wait()
    async with redis.asyncio.Redis.from_url(valkey_url) as valkey:
        await valkey.lpush(QUEUE, b"\xff no message")

    async def has_ended() -> bool:
        return worker.has_ended

    await until(has_ended)
    assert await batch.stop(worker) == 1
    assert await rows(batch.database, "SELECT state, attempt FROM job") == [
        ("queued", 0)
    ]


async def test_a_cancel_aborts_the_call_to_the_engine(batch: BatchTier) -> None:
    tenant = await a_tenant(batch.database)

    async def never(_: Call) -> tuple[int, dict[str, Any]]:
        await asyncio.Event().wait()
        raise AssertionError

    batch.engine.answer = never
    await batch.start_dispatcher()
    await batch.start_worker()
    job_id = await a_job(batch.database, tenant)

    async def is_asked() -> bool:
        return batch.engine.open_calls == 1

    await until(is_asked)
    async with batch.database.statement() as tx:
        assert await cancel(tx, job_id, tenant_id=tenant.id) is State.RUNNING
    assert await batch.wait_final(job_id, seconds=3) == {State.CANCELLED}

    async def is_aborted() -> bool:
        return batch.engine.open_calls == 0 and batch.engine.broken_off == 1

    await until(is_aborted, seconds=2)


async def test_fault_engine_batch_garb_ends_as_failed_with_its_sections_kept(
    batch: BatchTier,
) -> None:
    tenant = await a_tenant(batch.database)

    async def one_bad_section(call: Call) -> tuple[int, dict[str, Any]]:
        if "town 20 is" in call.text:
            return completion("!" * 80)
        return await first_words(call)

    batch.engine.answer = one_bad_section
    await batch.start_dispatcher()
    await batch.start_worker(PRECIS_JOB_LEASE="PT0.5S")
    job_id = await a_job(batch.database, tenant, text=LONG_TEXT)
    assert await batch.wait_final(job_id, seconds=30) == {State.FAILED}
    [job] = await rows(batch.database, "SELECT error_code, coverage FROM job")
    assert job.error_code == "model_output_invalid"
    [(done,)] = await rows(
        batch.database, "SELECT count(*) FROM chunk WHERE state = 'done'"
    )
    assert done > 10


async def test_a_prompt_that_the_server_cut_fails_the_job(batch: BatchTier) -> None:
    tenant = await a_tenant(batch.database)

    async def cut(_: Call) -> tuple[int, dict[str, Any]]:
        return completion("A fine summary of half the text.", prompt_tokens=12)

    batch.engine.answer = cut
    await batch.start_dispatcher()
    await batch.start_worker()
    job_id = await a_job(batch.database, tenant)
    assert await batch.wait_final(job_id) == {State.FAILED}
    assert await rows(batch.database, "SELECT error_code FROM job") == [
        ("input_truncated",)
    ]


async def test_an_engine_that_is_away_burns_no_attempt(batch: BatchTier) -> None:
    tenant = await a_tenant(batch.database)

    async def busy_at_first(call: Call) -> tuple[int, dict[str, Any]]:
        if call.number <= 2:
            return 503, {"error": {"message": "overloaded", "code": 503}}
        return await first_words(call)

    batch.engine.answer = busy_at_first
    await batch.start_dispatcher(
        PRECIS_HINT_PATIENCE="PT0.5S", PRECIS_RECONCILE_INTERVAL="PT0.2S"
    )
    await batch.start_worker(PRECIS_JOB_LEASE="PT2S")
    job_id = await a_job(batch.database, tenant)
    assert await batch.wait_final(job_id, seconds=30) == {State.SUCCEEDED}
    assert await rows(batch.database, "SELECT attempt FROM job") == [(1,)]


async def test_two_dispatchers_and_two_workers_share_the_work(batch: BatchTier) -> None:
    tenant = await a_tenant(batch.database)
    for _ in range(2):
        await batch.start_dispatcher()
        await batch.start_worker()
    job_ids = [await a_job(batch.database, tenant) for _ in range(60)]
    assert await batch.wait_final(*job_ids) == {State.SUCCEEDED}
    assert await rows(batch.database, "SELECT count(*) FROM summary") == [(60,)]
    assert await rows(batch.database, "SELECT DISTINCT attempt FROM job") == [(1,)]


async def test_a_worker_outlives_a_database_that_is_away_at_its_start(
    batch: BatchTier, database_url: str, postgres_url: str
) -> None:
    tenant = await a_tenant(batch.database)
    job_id = await a_job(batch.database, tenant)
    await batch.start_dispatcher()
    name = make_url(database_url).database
    closed = f"ALTER DATABASE {name} WITH ALLOW_CONNECTIONS"
    async with await AsyncConnection.connect(postgres_url, autocommit=True) as admin:
        await admin.execute(f"{closed} false".encode())
        worker = batch.processes.start("workers.batch", environment=batch.environment)

        async def has_found_engines() -> bool:
            return "master_key.unchecked" in worker.log.read_text()

        try:
            await until(has_found_engines)
        finally:
            await admin.execute(f"{closed} true".encode())
    assert await batch.wait_final(job_id) == {State.SUCCEEDED}


async def test_a_worker_that_cannot_live_ends(batch: BatchTier) -> None:
    """Whoever started it starts it again: it must not stay as a shell."""
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = str(taken.getsockname()[1])
        worker = batch.processes.start(
            "workers.batch",
            environment=batch.environment | {"PRECIS_HEALTH_PORT": port},
        )
        assert await asyncio.to_thread(worker.wait, 20) != 0


@pytest.mark.parametrize(
    ("module", "wrong"),
    [
        ("workers.batch", {"PRECIS_DATABASE_URL": ""}),
        ("workers.batch", {"PRECIS_MASTER_KEY": "abc"}),
        ("workers.dispatcher", {"PRECIS_DATABASE_URL": ""}),
    ],
)
async def test_a_wrong_setting_is_told_in_a_line(
    batch: BatchTier, module: str, wrong: dict[str, str]
) -> None:
    process = batch.processes.start(module, environment=batch.environment | wrong)
    assert await asyncio.to_thread(process.wait, 20) == 2
    told = process.log.read_text()
    assert all(name in told for name in wrong)
    assert "Traceback" not in told
