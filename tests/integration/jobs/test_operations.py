"""The statements that move a job, on a real Postgres."""

import asyncio
from datetime import timedelta

import pytest
from sqlalchemy import text
from sqlalchemy.exc import IntegrityError

from jobs.lifecycle import State
from jobs.operations.cancel import cancel
from jobs.operations.claim import Claim, claim, renew_leases
from jobs.operations.leave import Departure, SealedResult, leave, sweep_lapsed
from jobs.operations.submit import Submission, submit
from jobs.operations.wait import expire_overdue, wake_due
from jobs.store.chunk_store import (
    ChunkResult,
    ChunkRow,
    PlannedChunk,
    list_chunks,
    plan_chunks,
    store_results,
)
from jobs.store.job_store import get_job
from plumbing.database import Database
from tests.builders import a_job, a_submission, a_tenant, claim_jobs, rows
from tests.integration.jobs.contents import plan, store

RESULT = SealedResult(
    summary=b"sealed",
    citations=None,
    prompt_tokens=10,
    completion_tokens=5,
    provenance={},
)
NOW = timedelta(0)


async def _cover(database: Database, claimed: Claim) -> None:
    """Store one done chunk that covers the whole text."""
    await plan(database, claimed)
    await store(database, claimed)


def _success(claimed: Claim) -> Departure:
    return Departure(
        id=claimed.id, fence=claimed.fence, wish=State.SUCCEEDED, result=RESULT
    )


async def test_a_submitted_job_is_claimed_once_and_finished_once(
    database: Database,
) -> None:
    tenant = await a_tenant(database)
    job_id = await a_job(database, tenant)

    [claimed] = await claim_jobs(database)
    assert (claimed.id, claimed.fence, claimed.attempt) == (job_id, 1, 1)
    assert await claim_jobs(database) == []

    await _cover(database, claimed)
    async with database.statement() as tx:
        assert await leave(tx, [_success(claimed)]) == {job_id: State.SUCCEEDED}
    async with database.statement() as tx:
        assert await leave(tx, [_success(claimed)]) == {}
    async with database.statement() as tx:
        job = await get_job(tx, job_id, tenant_id=tenant.id)
    assert (job.state, job.coverage, job.attempt) == (State.SUCCEEDED, 1.0, 1)
    assert await rows(database, "SELECT count(*) FROM summary") == [(1,)]
    [event] = await rows(database, "SELECT id, type FROM event")
    assert (event.id, event.type) == (f"evt_{job_id.hex}", "summary.succeeded")


async def test_a_text_of_which_a_part_is_missing_cannot_succeed(
    database: Database,
) -> None:
    tenant = await a_tenant(database)
    await a_job(database, tenant)
    [claimed] = await claim_jobs(database)

    with pytest.raises(IntegrityError, match="job_covered_when_succeeded"):
        async with database.statement() as tx:
            await leave(tx, [_success(claimed)])


async def test_a_stale_fence_writes_nothing(database: Database) -> None:
    tenant = await a_tenant(database)
    job_id = await a_job(database, tenant)
    [stale] = await claim_jobs(database, lease=NOW)
    async with database.statement() as tx:
        assert await sweep_lapsed(tx, pause=NOW) == {job_id: State.RETRY_WAIT}
    async with database.statement() as tx:
        assert await wake_due(tx) == 1
    [fresh] = await claim_jobs(database)
    assert (fresh.fence, fresh.attempt, fresh.suspect) == (3, 2, False)

    row = ChunkRow(job_id=job_id, stage=0, idx=0, start=0, end=1, tokens=1)
    async with database.transaction() as tx:
        assert (
            await plan_chunks(tx, [PlannedChunk(row=row, fence=stale.fence)]) == set()
        )
        assert await renew_leases(tx, [stale], lease=timedelta(seconds=60)) == {}
        assert await leave(tx, [_success(stale)]) == {}
    assert await rows(database, "SELECT count(*) FROM chunk") == [(0,)]


async def test_five_lost_workers_end_a_job_as_failed(database: Database) -> None:
    tenant = await a_tenant(database)
    job_id = await a_job(database, tenant)
    for attempt in range(1, 6):
        [claimed] = await claim_jobs(database, lease=NOW)
        assert claimed.attempt == attempt
        async with database.statement() as tx:
            [state] = (await sweep_lapsed(tx, pause=NOW)).values()
        async with database.statement() as tx:
            await wake_due(tx)
    assert state is State.FAILED
    async with database.statement() as tx:
        job = await get_job(tx, job_id, tenant_id=tenant.id)
    assert (job.error_code, job.attempt) == ("worker_lost", 5)


async def test_an_attempt_that_stored_a_chunk_does_not_count(
    database: Database,
) -> None:
    tenant = await a_tenant(database)
    await a_job(database, tenant)
    [claimed] = await claim_jobs(database)
    await _cover(database, claimed)
    async with database.statement() as tx:
        await tx.execute(text("UPDATE job SET lease_until = statement_timestamp()"))
    async with database.statement() as tx:
        await sweep_lapsed(tx, pause=NOW)
    assert await rows(database, "SELECT attempt FROM job") == [(0,)]


async def test_a_cancel_wins_over_the_finish_of_a_running_job(
    database: Database,
) -> None:
    tenant = await a_tenant(database)
    job_id = await a_job(database, tenant)
    [claimed] = await claim_jobs(database)
    await _cover(database, claimed)
    async with database.statement() as tx:
        asked = await cancel(tx, job_id, tenant_id=tenant.id)
    assert asked is State.RUNNING
    async with database.statement() as tx:
        held = await renew_leases(tx, [claimed], lease=timedelta(seconds=60))
    assert held == {job_id: True}

    async with database.statement() as tx:
        assert await leave(tx, [_success(claimed)]) == {job_id: State.CANCELLED}
    assert await rows(database, "SELECT count(*) FROM summary") == [(0,)]
    async with database.statement() as tx:
        assert await cancel(tx, job_id, tenant_id=tenant.id) is None


async def test_a_waiting_job_is_cancelled_at_once_by_its_owner_only(
    database: Database,
) -> None:
    owner, stranger = await a_tenant(database), await a_tenant(database)
    job_id = await a_job(database, owner)
    async with database.statement() as tx:
        assert await cancel(tx, job_id, tenant_id=stranger.id) is None
    async with database.statement() as tx:
        assert await cancel(tx, job_id, tenant_id=owner.id) is State.CANCELLED
    assert await claim_jobs(database) == []
    assert await rows(database, "SELECT type FROM event") == [("summary.cancelled",)]


async def test_a_passed_deadline_expires_waiting_and_running_jobs(
    database: Database,
) -> None:
    tenant = await a_tenant(database)
    await a_job(database, tenant)
    [claimed] = await claim_jobs(database)
    await a_job(database, tenant)
    async with database.statement() as tx:
        await tx.execute(text("UPDATE job SET deadline = statement_timestamp()"))

    assert await claim_jobs(database) == []
    async with database.statement() as tx:
        assert len(await expire_overdue(tx)) == 1
    async with database.statement() as tx:
        assert await sweep_lapsed(tx, pause=NOW) == {claimed.id: State.EXPIRED}
    assert await rows(database, "SELECT DISTINCT state FROM job") == [("expired",)]
    assert await rows(database, "SELECT suspect FROM job WHERE suspect") == []


async def test_one_idempotency_key_admits_one_of_many_racing_submissions(
    database: Database,
) -> None:
    tenant = await a_tenant(database)
    racing = [
        a_submission(tenant.id, idempotency_key="k", fingerprint=b"f") for _ in range(8)
    ]

    async def admit(submission: Submission) -> int:
        async with database.statement() as tx:
            return len(await submit(tx, [submission]))

    admitted = await asyncio.gather(*map(admit, racing))
    assert sorted(admitted) == [0] * 7 + [1]
    assert await rows(database, "SELECT count(*) FROM job") == [(1,)]
    assert await rows(database, "SELECT count(*) FROM job_input") == [(1,)]


async def test_two_keys_in_one_group_are_admitted_once(database: Database) -> None:
    tenant = await a_tenant(database)
    twins = [
        a_submission(tenant.id, idempotency_key="k", fingerprint=b"f") for _ in range(2)
    ]
    async with database.statement() as tx:
        assert len(await submit(tx, twins)) == 1


async def test_a_lone_job_of_another_tenant_overtakes_a_backlog(
    database: Database,
) -> None:
    busy, lone = await a_tenant(database), await a_tenant(database)
    backlog = [a_submission(busy.id, tokens=1000) for _ in range(200)]
    async with database.statement() as tx:
        await submit(tx, backlog)
    await claim_jobs(database, count=10)
    lone_id = await a_job(database, lone, tokens=1000)
    assert lone_id in {c.id for c in await claim_jobs(database, count=10)}


async def test_claimers_that_race_never_get_the_same_job(database: Database) -> None:
    tenant = await a_tenant(database)
    async with database.statement() as tx:
        await submit(tx, [a_submission(tenant.id) for _ in range(100)])

    claims = await asyncio.gather(*(claim_jobs(database, count=20) for _ in range(8)))
    ids = [c.id for claimed in claims for c in claimed]
    assert len(ids) == len(set(ids)) == 100


async def test_a_hand_back_gives_the_attempt_back(database: Database) -> None:
    tenant = await a_tenant(database)
    job_id = await a_job(database, tenant)
    [claimed] = await claim_jobs(database)
    back = Departure(id=job_id, fence=claimed.fence, wish=State.QUEUED, counts=False)
    async with database.statement() as tx:
        assert await leave(tx, [back]) == {job_id: State.QUEUED}
    [again] = await claim_jobs(database)
    assert (again.attempt, again.fence) == (1, 3)


async def test_an_ending_tells_enabled_endpoints_or_just_what_the_job_names(
    database: Database,
) -> None:
    tenant = await a_tenant(database)
    async with database.statement() as tx:
        await tx.execute(
            text(
                "INSERT INTO webhook_endpoint (id, tenant_id, url, secret, state)"
                " SELECT gen_random_uuid(), :t, 'https://example.com/' || s, 'x', s"
                " FROM unnest(ARRAY['enabled', 'disabled']) s"
            ),
            {"t": tenant.id},
        )
    named = {
        "webhook_url": "https://example.org/x",
        "webhook_lane": "host:example.org",
        "email": ["a@example.com", "b@example.com"],
    }
    by_default = await a_job(database, tenant)
    by_name = await a_job(database, tenant, delivery=named)
    for job_id in (by_default, by_name):
        async with database.statement() as tx:
            await cancel(tx, job_id, tenant_id=tenant.id)

    told = "SELECT kind, receiver, lane FROM delivery WHERE job_id = :job ORDER BY 1, 2"
    [endpoint] = await rows(database, told, job=by_default)
    assert endpoint.kind == "webhook"
    assert endpoint.lane.startswith("endpoint:")
    assert await rows(database, told, job=by_name) == [
        ("email", "a@example.com", "mail:example.com"),
        ("email", "b@example.com", "mail:example.com"),
        ("webhook", "https://example.org/x", "host:example.org"),
    ]


async def test_a_stored_chunk_result_is_never_replaced(database: Database) -> None:
    tenant = await a_tenant(database)
    await a_job(database, tenant)
    [claimed] = await claim_jobs(database)
    await _cover(database, claimed)
    other = ChunkResult(
        job_id=claimed.id,
        fence=claimed.fence,
        stage=0,
        idx=0,
        sealed=b"other",
        prompt_tokens=1,
        completion_tokens=1,
    )
    async with database.statement() as tx:
        assert await store_results(tx, [other]) == {claimed.id}
    async with database.statement() as tx:
        [chunk] = await list_chunks(tx, claimed.id)
    assert chunk.sealed == b"sealed"


async def test_the_floor_hides_only_old_tags_and_the_whole_claim_finds_them(
    database: Database,
) -> None:
    tenant = await a_tenant(database)
    await a_job(database, tenant)
    async with database.statement() as tx:
        await tx.execute(text("SELECT setval('fair_clock', 1000000)"))
    arguments = {"count": 1, "worker_id": "w", "lease": timedelta(seconds=9)}
    async with database.statement() as tx:
        assert await claim(tx, whole=False, **arguments) == []  # type: ignore[arg-type]
    async with database.statement() as tx:
        assert len(await claim(tx, whole=True, **arguments)) == 1  # type: ignore[arg-type]
