"""Jobs that lost two workers run alone; which these are, and which of them first."""

from datetime import timedelta

from jobs.operations.claim import Claim, goes_first
from jobs.operations.leave import sweep_lapsed
from jobs.operations.wait import wake_due
from plumbing.database import Database
from tests.builders import a_job, a_tenant, claim_jobs, rows
from tests.integration.jobs.contents import plan, store

NOW = timedelta(0)
A_MINUTE = timedelta(seconds=60)


async def test_of_the_suspects_of_several_workers_the_oldest_goes_first(
    database: Database,
) -> None:
    older, younger = await _two_suspects(database, lease=A_MINUTE)
    async with database.statement() as tx:
        assert await goes_first(tx, older, worker_id="one")
        assert not await goes_first(tx, younger, worker_id="other")
        # In one process its own slots decide.
        assert await goes_first(tx, younger, worker_id="one")


async def test_a_suspect_whose_worker_is_lost_again_holds_nobody_up_for_long(
    database: Database,
) -> None:
    _, younger = await _two_suspects(database, lease=NOW)
    async with database.statement() as tx:
        assert await goes_first(tx, younger, worker_id="other")


async def test_a_suspect_that_stored_a_chunk_holds_no_younger_one_up(
    database: Database,
) -> None:
    older, younger = await _two_suspects(database, lease=A_MINUTE)
    await plan(database, older)
    assert await store(database, older) == {older.id}
    async with database.statement() as tx:
        assert await goes_first(tx, younger, worker_id="other")


async def test_one_lost_worker_says_nothing_and_two_make_a_suspect(
    database: Database,
) -> None:
    await a_job(database, await a_tenant(database))
    found = []
    for _ in range(3):
        [held] = await claim_jobs(database)
        found.append((held.attempt, held.suspect))
        await _lose_workers(database)
    assert found == [(1, False), (2, False), (3, True)]


async def test_who_got_further_before_the_second_loss_is_no_suspect(
    database: Database,
) -> None:
    tenant = await a_tenant(database)
    for _ in range(2):
        await a_job(database, tenant)
    await claim_jobs(database, count=2)
    await _lose_workers(database)
    further, other = await claim_jobs(database, count=2)
    await plan(database, further)
    assert await store(database, further) == {further.id}
    await _lose_workers(database)
    again = await claim_jobs(database, count=2)
    found = {each.id: (each.attempt, each.suspect) for each in again}
    assert found == {further.id: (2, False), other.id: (3, True)}


async def _lose_workers(database: Database) -> None:
    """All that run have no lease any more, and are due again."""
    lapse = "UPDATE job SET lease_until = statement_timestamp() - interval '1 s'"
    await rows(database, f"{lapse} WHERE state = 'running' RETURNING id")
    async with database.statement() as tx:
        assert await sweep_lapsed(tx, pause=NOW)
    async with database.statement() as tx:
        await wake_due(tx)


async def _two_suspects(database: Database, *, lease: timedelta) -> tuple[Claim, Claim]:
    """Lost together, twice; `one` holds the older of them, `other` the younger.

    The lease is that of the older.
    """
    tenant = await a_tenant(database)
    ids = [await a_job(database, tenant) for _ in range(2)]
    for _ in range(2):
        assert len(await claim_jobs(database, count=2)) == 2
        await _lose_workers(database)
    [older] = await claim_jobs(database, worker_id="one", lease=lease)
    [younger] = await claim_jobs(database, worker_id="other")
    assert [older.id, younger.id] == ids
    assert older.suspect
    assert younger.suspect
    return older, younger
