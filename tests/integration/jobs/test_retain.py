"""Retention by the database's clock: never early, and quick beside whatever waits."""

import asyncio
import re
from collections.abc import Mapping
from datetime import timedelta
from typing import Any
from uuid import UUID

from sqlalchemy import text as sql

from jobs.operations.retain import (
    DROP_EVENTS_SQL,
    DROP_TEXTS_SQL,
    EVENTS_KEPT,
    OVERDUE_AGES_SQL,
    OVERDUE_SUMMARIES_SQL,
    Kept,
    drop_events,
    drop_summaries,
    drop_texts,
    read_overdue_ages,
)
from jobs.store.delivery_store import REPLAYABLE_FOR
from plumbing.database import Database
from tests.builders import TenantForTests, a_job, rows
from tests.integration.jobs.contents import (
    NOTHING,
    WEBHOOK,
    a_finished_job,
    a_running_job,
    age,
    blocked_sessions,
    erased,
    held,
)
from tests.waiting import until

KEPT = Kept(text=timedelta(hours=1), summary=timedelta(days=30))


async def test_a_text_goes_an_hour_after_the_ending_and_no_second_earlier(
    database: Database, tenant: TenantForTests
) -> None:
    job_id = await a_finished_job(database, tenant)
    before = await held(database, job_id)
    await age(database, job_id, by="59 min 50 s")
    assert await _texts(database) == 0
    assert await held(database, job_id) == before

    await age(database, job_id, by="11 s")
    assert await _texts(database) == 1
    assert await held(database, job_id) == before | {"job_input": 0}
    assert await _texts(database) == 0


async def test_a_summary_goes_after_thirty_days_with_everything_else(
    database: Database, tenant: TenantForTests
) -> None:
    job_id = await a_finished_job(database, tenant)
    await age(database, job_id, by="29 days 23 h 59 min 50 s")
    assert await _texts(database) == 1
    before = await held(database, job_id)
    assert await _summaries(database) == 0
    assert await held(database, job_id) == before

    await age(database, job_id, by="11 s")
    assert await _summaries(database) == 1
    assert await held(database, job_id) == NOTHING
    [job] = await rows(database, "SELECT state, erased_at FROM job")
    assert job.state == "succeeded"
    assert job.erased_at is not None
    assert await rows(database, "SELECT 1 FROM erasure") == []
    assert await _summaries(database) == 0


async def test_jobs_that_live_keep_their_text_however_old(
    database: Database, tenant: TenantForTests
) -> None:
    running = await a_running_job(database, tenant)
    waiting = await a_job(database, tenant)
    now = Kept(text=timedelta(0), summary=timedelta(0))
    async with database.transaction() as tx:
        assert await drop_texts(tx, now) == await drop_summaries(tx, now) == 0
    for job_id in (running.id, waiting):
        assert (await held(database, job_id))["job_input"] == 1


async def test_a_text_never_outlives_its_summary(
    database: Database, tenant: TenantForTests
) -> None:
    job_id = await a_finished_job(database, tenant)
    await age(database, job_id, by="2 h")
    kept = Kept(text=timedelta(days=30), summary=timedelta(hours=1))
    async with database.transaction() as tx:
        assert await drop_texts(tx, kept) == await drop_summaries(tx, kept) == 1
    assert await held(database, job_id) == NOTHING


async def test_metadata_leave_the_frozen_body_with_the_summary(
    database: Database, tenant: TenantForTests
) -> None:
    job_id = await a_finished_job(database, tenant, delivery=WEBHOOK)
    await rows(
        database, "UPDATE event SET body = 'with Ada' WHERE body IS NULL RETURNING id"
    )
    await age(database, job_id, by="31 days")
    await _texts(database)
    await _summaries(database)
    [event] = await rows(database, "SELECT body FROM event")
    assert b"Ada" not in event.body
    assert b'"metadata":{}' in event.body


async def test_two_at_once_share_the_work_and_none_waits(
    database: Database, tenant: TenantForTests
) -> None:
    job_ids = [await a_finished_job(database, tenant) for _ in range(6)]
    for job_id in job_ids:
        await age(database, job_id, by="31 days")
    async with database.transaction() as tx:
        assert await drop_texts(tx, KEPT) == 6
        async with asyncio.timeout(2):
            assert await _texts(database) == 0
    counts = await asyncio.gather(*(_summaries(database) for _ in range(3)))
    assert sum(counts) >= 6
    for job_id in job_ids:
        assert await held(database, job_id) == NOTHING


async def test_a_job_that_is_being_erased_is_left_alone(
    database: Database, tenant: TenantForTests
) -> None:
    """Neither waits for the other: no deadlock between erasure and retention."""
    job_id = await a_finished_job(database, tenant)
    await age(database, job_id, by="31 days")
    async with database.transaction() as tx:
        await tx.execute(
            sql("SELECT 1 FROM job WHERE id = :id FOR NO KEY UPDATE"), {"id": job_id}
        )
        async with asyncio.timeout(2):
            assert await _texts(database) == await _summaries(database) == 0
    async with database.transaction() as tx:
        assert await drop_texts(tx, KEPT) == 1
        erasing = asyncio.create_task(erased(database, job_id, tenant))
        await until(lambda: blocked_sessions(database, at_least=1))
    await erasing
    assert await _summaries(database) == 0
    assert await held(database, job_id) == NOTHING


async def test_an_old_event_goes_with_its_deliveries_and_attempts(
    database: Database, tenant: TenantForTests
) -> None:
    old = await _a_delivered_job(database, tenant, finished="35 days")
    replayed = await _a_delivered_job(database, tenant, finished="29 days")
    unfinished = await a_finished_job(database, tenant, delivery=WEBHOOK)
    young = await _a_delivered_job(database, tenant, finished="33 days")
    for job_id, days in ((old, 35), (replayed, 35), (unfinished, 35), (young, 33)):
        await age(database, job_id, by=f"{days} days")
    assert await _events(database) == 0  # their summaries are still there
    await _texts(database)
    await _summaries(database)

    assert await _events(database) == 1
    left = {row.job_id for row in await rows(database, "SELECT job_id FROM event")}
    assert left == {replayed, unfinished, young}
    for table in ("delivery", "delivery_attempt"):
        [row] = await rows(database, f"SELECT count(*) FROM {table}")
        assert row[0] == {"delivery": 3, "delivery_attempt": 2}[table]


async def test_the_age_of_what_is_overdue_is_known(
    database: Database, tenant: TenantForTests
) -> None:
    async with database.statement() as tx:
        ages = await read_overdue_ages(tx, KEPT)
    assert (ages.text, ages.summary) == (0, 0)
    job_id = await a_finished_job(database, tenant)
    await age(database, job_id, by="61 min")
    async with database.statement() as tx:
        ages = await read_overdue_ages(tx, KEPT)
    assert 60 <= ages.text < 90
    assert ages.summary == 0
    await _texts(database)
    await age(database, job_id, by="30 days")
    async with database.statement() as tx:
        ages = await read_overdue_ages(tx, KEPT)
    assert ages.text == 0
    assert 3660 <= ages.summary < 3690


MANY_WAITING = """
INSERT INTO job (id, tenant_id, state, deadline, tag, tier, routing_reason, tokens,
                 threshold, characters, options)
SELECT gen_random_uuid(), :tenant, 'queued', now() + interval '1 day', n, 'batch', 'asked',
       1, 1, 1, '{}'
FROM generate_series(1, 100000) n
"""
# Ended within the last hour, so neither overdue nor few.
MANY_ENDED = """
INSERT INTO event (id, job_id, tenant_id, type, job_version, holds, created_at)
SELECT 'evt_' || id, id, tenant_id, 'summary.succeeded', 2,
       CASE n % 3 WHEN 0 THEN 'text' WHEN 1 THEN 'summary' ELSE 'nothing' END,
       now() - n * interval '30 ms'
FROM (SELECT id, tenant_id, row_number() OVER () AS n FROM job) ended
"""
OF = {"kept": timedelta(hours=1)}
STATEMENTS: Mapping[str, tuple[str, dict[str, Any]]] = {
    "texts": (DROP_TEXTS_SQL, OF | {"holds": "text"}),
    "summaries": (OVERDUE_SUMMARIES_SQL, OF | {"holds": "summary"}),
    "events": (
        DROP_EVENTS_SQL,
        {"kept": EVENTS_KEPT, "replayable": REPLAYABLE_FOR},
    ),
    "ages": (OVERDUE_AGES_SQL, {"text": OF["kept"], "summary": OF["kept"]}),
}


async def test_what_is_overdue_is_found_by_one_index_beside_a_large_backlog(
    database: Database, tenant: TenantForTests
) -> None:
    async with database.statement() as tx:
        await tx.execute(sql(MANY_WAITING), {"tenant": tenant.id})
        await tx.execute(sql(MANY_ENDED))
        await tx.execute(sql("VACUUM ANALYZE job, event"))
    overdue = await a_finished_job(database, tenant)
    await age(database, overdue, by="31 days")
    for name, (statement, values) in STATEMENTS.items():
        async with database.transaction() as tx:
            found = await tx.execute(
                sql("EXPLAIN (ANALYZE, BUFFERS OFF) " + statement), values
            )
            plan = "\n".join(row[0] for row in found)
            await tx.rollback()
        assert re.search(r"Scan (using|on) event_retention\b", plan), f"{name}:\n{plan}"
        assert "Seq Scan on job" not in plan, f"{name}:\n{plan}"
        assert "Seq Scan on event" not in plan, f"{name}:\n{plan}"
    async with asyncio.timeout(2):
        assert await _texts(database) == await _summaries(database) == 1
    assert await held(database, overdue) == NOTHING


async def _texts(database: Database) -> int:
    async with database.statement() as tx:
        return await drop_texts(tx, KEPT)


async def _summaries(database: Database) -> int:
    async with database.transaction() as tx:
        return await drop_summaries(tx, KEPT)


async def _events(database: Database) -> int:
    async with database.statement() as tx:
        return await drop_events(tx)


async def _a_delivered_job(
    database: Database, tenant: TenantForTests, *, finished: str
) -> UUID:
    job_id = await a_finished_job(database, tenant, delivery=WEBHOOK)
    async with database.statement() as tx:
        await tx.execute(
            sql(
                """
                WITH sent AS (
                    UPDATE delivery SET state = 'sending', fence = fence + 1,
                        lease_until = now()
                    WHERE job_id = :job RETURNING id)
                INSERT INTO delivery_attempt (delivery_id, number, started_at, finished_at)
                SELECT id, 1, now(), now() FROM sent
                """
            ),
            {"job": job_id},
        )
        await tx.execute(
            sql(
                "UPDATE delivery SET state = 'delivered', fence = fence + 1,"
                " lease_until = NULL,"
                " finished_at = now() - CAST(:finished AS interval)"
                " WHERE job_id = :job"
            ),
            {"job": job_id, "finished": finished},
        )
    return job_id
