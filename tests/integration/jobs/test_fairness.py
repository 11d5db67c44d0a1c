"""Who is next: a backlog of one tenant holds up nobody, and shares follow the weights."""

import random
from collections import Counter
from datetime import timedelta
from uuid import UUID

from jobs.operations.claim import claim
from jobs.operations.submit import submit
from plumbing.database import Database
from tests.builders import TenantForTests, a_job, a_submission, a_tenant

_BATCH = 8


async def _claim(database: Database) -> list[UUID]:
    """As workers do: a batch at a time, from the clock on."""
    async with database.statement() as tx:
        claims = await claim(
            tx,
            count=_BATCH,
            worker_id="w",
            lease=timedelta(minutes=1),
            whole=False,
        )
    return [claimed.id for claimed in claims]


async def _wait_in_line(
    database: Database, tenant: TenantForTests, *, tokens: list[int]
) -> dict[UUID, int]:
    submissions = [a_submission(tenant.id, tokens=each) for each in tokens]
    async with database.statement() as tx:
        await submit(tx, submissions)
    return {each.job.id: each.job.tokens for each in submissions}


async def test_a_thousand_waiting_jobs_of_one_tenant_do_not_hold_up_another(
    database: Database,
) -> None:
    """Whenever it comes, the single job starts with the next claim or the one after."""
    busy = await a_tenant(database)
    await _wait_in_line(database, busy, tokens=[5000] * 1000)
    for _ in range(10):
        newcomer = await a_tenant(database)
        await _claim(database)
        single = await a_job(database, newcomer, tokens=50_000)
        started = await _claim(database) + await _claim(database)
        assert single in started


async def test_a_tenant_that_comes_back_has_saved_up_nothing(
    database: Database,
) -> None:
    """Who was away for long is next once, and shares from there on."""
    busy, idle = await a_tenant(database), await a_tenant(database)
    await _wait_in_line(database, idle, tokens=[1000])
    mine = await _wait_in_line(database, busy, tokens=[1000] * 300)
    for _ in range(20):
        await _claim(database)
    theirs = await _wait_in_line(database, idle, tokens=[1000] * 100)
    started = [job_id for _ in range(10) for job_id in await _claim(database)]
    assert 32 <= sum(job_id in theirs for job_id in started) <= 48
    assert all(job_id in mine or job_id in theirs for job_id in started)


async def test_shares_by_tokens_follow_the_weights(database: Database) -> None:
    choice = random.Random(7)
    weights = (1, 1, 2)
    owner: dict[UUID, int] = {}
    tokens: dict[UUID, int] = {}
    for number, weight in enumerate(weights):
        tenant = await a_tenant(database, weight=weight)
        # Short ones of many, long ones of few: it is tokens that are shared.
        sizes = [choice.randint(100, 1000 * 4**number) for _ in range(1000)]
        line = await _wait_in_line(database, tenant, tokens=sizes)
        owner |= dict.fromkeys(line, number)
        tokens |= line
    shares: Counter[int] = Counter()
    waiting = Counter(owner.values())
    while min(waiting.values()) > 100:
        for job_id in await _claim(database):
            shares[owner[job_id]] += tokens[job_id]
            waiting[owner[job_id]] -= 1
    total = shares.total()
    for number, weight in enumerate(weights):
        fair = weight / sum(weights)
        assert abs(shares[number] / total - fair) <= 0.2 * fair, (shares, number)
