"""The loop that lets go by the clock: a round goes to its end, whatever it dropped."""

from datetime import timedelta

import pytest

from jobs.operations.retain import Kept
from plumbing.database import Database
from tests.builders import a_tenant
from tests.integration.jobs.contents import a_finished_job, age, held
from workers.dispatcher.retention_loop import RetentionLoop

KEPT = Kept(text=timedelta(hours=1), summary=timedelta(days=30))


@pytest.mark.parametrize("days", [1, 31, 400], ids=["text", "summary", "event"])
async def test_a_round_drops_what_is_due_and_tells_it(
    database: Database, days: int
) -> None:
    job_id = await a_finished_job(database, await a_tenant(database))
    before = await held(database, job_id)
    await age(database, job_id, by=f"{days} days")
    assert not await RetentionLoop(database, KEPT).run_once()
    assert await held(database, job_id) != before
