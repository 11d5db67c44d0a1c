"""Many wait, one asks: endings reach every waiter, and a stop lets all of them go."""

import asyncio
import time
from collections.abc import AsyncIterator
from datetime import timedelta

import pytest

from gateway.parts.watcher import Watcher
from jobs.lifecycle import State
from jobs.operations.cancel import cancel
from plumbing.database import Database
from tests.builders import a_job, a_tenant

LONG = timedelta(seconds=30)


@pytest.fixture
async def watcher(database: Database) -> AsyncIterator[Watcher]:
    opened = Watcher(database, interval=timedelta(milliseconds=20))
    yield opened
    await opened.close()


async def test_every_waiter_hears_of_the_end_of_its_own_job(
    database: Database, watcher: Watcher
) -> None:
    tenant = await a_tenant(database)
    jobs = [await a_job(database, tenant) for _ in range(20)]
    lasting = await a_job(database, tenant)
    waiting = [
        asyncio.create_task(watcher.wait_final(job, LONG)) for job in jobs for _ in "ab"
    ]
    short = asyncio.create_task(
        watcher.wait_final(lasting, timedelta(milliseconds=200))
    )
    async with database.transaction() as tx:
        for job in jobs:
            await cancel(tx, job, tenant_id=tenant.id)
    assert await asyncio.gather(*waiting) == [State.CANCELLED] * 40
    assert await short is None


async def test_nobody_waits_for_a_process_that_stops(
    database: Database, watcher: Watcher
) -> None:
    tenant = await a_tenant(database)
    job = await a_job(database, tenant)
    waiting = [asyncio.create_task(watcher.wait_final(job, LONG)) for _ in range(3)]
    await asyncio.sleep(0)
    started = time.monotonic()
    watcher.stop()
    assert await asyncio.gather(*waiting) == [None] * 3
    assert await watcher.wait_final(job, LONG) is None
    assert time.monotonic() - started < 1


async def test_a_job_that_has_ended_is_told_at_once(
    database: Database, watcher: Watcher
) -> None:
    tenant = await a_tenant(database)
    job = await a_job(database, tenant)
    async with database.transaction() as tx:
        await cancel(tx, job, tenant_id=tenant.id)
    assert await watcher.wait_final(job, LONG) is State.CANCELLED


async def test_a_second_wait_begins_anew(database: Database, watcher: Watcher) -> None:
    tenant = await a_tenant(database)
    for _ in range(2):
        job = await a_job(database, tenant)
        waiting = asyncio.create_task(watcher.wait_final(job, LONG))
        async with database.transaction() as tx:
            await cancel(tx, job, tenant_id=tenant.id)
        assert await waiting is State.CANCELLED
