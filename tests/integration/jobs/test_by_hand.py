"""An operator ends jobs while their owners act on them too."""

import asyncio

from jobs.operations.cancel import cancel
from jobs.operations.requeue import Selection, fail_living
from plumbing.database import Database
from tests.builders import a_job, a_tenant, claim_jobs, rows
from tests.integration.jobs.contents import blocked_sessions
from tests.waiting import until


async def test_a_cancel_that_was_first_wins_over_the_operator_who_waits_for_it(
    database: Database,
) -> None:
    """The operator's statement began before the cancel was committed, and sees it."""
    tenant = await a_tenant(database)
    cancelled, other = [await a_job(database, tenant) for _ in range(2)]
    await claim_jobs(database, count=2)

    async def fail_all() -> None:
        async with database.statement() as tx:
            failed = await fail_living(tx, Selection(), code="ended_by_operator")
        assert set(failed) == {cancelled, other}

    async with database.transaction() as tx:
        await cancel(tx, cancelled, tenant_id=tenant.id)
        failing = asyncio.create_task(fail_all())
        await until(lambda: blocked_sessions(database, at_least=1))
    await failing
    found = await rows(database, "SELECT id, state FROM job")
    assert {row.id: row.state for row in found} == {
        cancelled: "cancelled",
        other: "failed",
    }
