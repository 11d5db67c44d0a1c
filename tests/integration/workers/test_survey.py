"""What the dispatcher tells Prometheus of the ages of things, on a real Postgres."""

from collections.abc import AsyncIterator

import pytest
from prometheus_client import REGISTRY
from sqlalchemy import text

from jobs.store.pause_store import Scope, begin_pause
from plumbing.database import Database
from tests.builders import a_job, a_tenant, by_force, claim_jobs
from tests.fixtures.database import login_url
from tests.integration.precis.worker_hand import WorkerHand
from tests.waiting import until
from workers.dispatcher.survey_loop import SurveyLoop


@pytest.fixture
async def survey(database_url: str) -> AsyncIterator[SurveyLoop]:
    """With the dispatcher's own rights and no others."""
    database = Database(login_url(database_url, "dispatcher"), pool_size=1)
    yield SurveyLoop(database)
    await database.close()


def _told(name: str, **labels: str) -> float:
    value = REGISTRY.get_sample_value(name, labels)
    assert value is not None
    return value


async def test_the_oldest_due_job_is_told_and_what_is_paused_is_not(
    survey: SurveyLoop, database: Database
) -> None:
    tenant = await a_tenant(database, name="acme")
    await survey.run_once()
    assert _told("precis_due_oldest_seconds") == 0
    old, _ = await a_job(database, tenant), await a_job(database, tenant)
    ago = "UPDATE job SET run_at = run_at - interval '90 s' WHERE id = :id"
    await by_force(database, ago, id=old)
    await survey.run_once()
    assert 90 <= _told("precis_due_oldest_seconds") < 120

    async with database.statement() as tx:
        await begin_pause(tx, Scope.POOL, "batch", tenant_id=None, actor="ada")
    await survey.run_once()
    assert _told("precis_due_oldest_seconds") == 0
    async with database.statement() as tx:
        await tx.execute(text("DELETE FROM pause"))
    await claim_jobs(database, count=2)
    await survey.run_once()
    assert _told("precis_due_oldest_seconds") == 0


async def test_a_hint_that_waits_for_kafka_is_told(
    survey: SurveyLoop, database: Database
) -> None:
    await a_job(database, await a_tenant(database))
    ago = "UPDATE outbox SET created_at = created_at - interval '5 min'"
    await by_force(database, ago)
    await survey.run_once()
    assert 300 <= _told("precis_outbox_oldest_seconds") < 330


async def test_late_deliveries_are_told_by_their_lanes(
    survey: SurveyLoop, database: Database
) -> None:
    tenant, worker = await a_tenant(database), WorkerHand(database)
    for host in ("a.example", "a.example", "b.example", "c.example"):
        told = {"webhook_url": f"https://{host}/", "webhook_lane": f"host:{host}"}
        job_id = await a_job(database, tenant, delivery=told)
        await worker.take(job_id)
        await worker.succeed(job_id)
    late = """
        UPDATE delivery SET next_at = next_at - CASE lane
            WHEN 'host:a.example' THEN interval '10 min'
            WHEN 'host:b.example' THEN interval '2 min' ELSE interval '5 s' END
    """
    await by_force(database, late)
    # The other one of this lane has failed and waits for its next attempt.
    await by_force(
        database,
        "UPDATE delivery SET next_at = next_at + interval '1 hour' WHERE id ="
        " (SELECT id FROM delivery WHERE lane = 'host:a.example' LIMIT 1)",
    )
    await survey.run_once()
    assert 600 <= _told("precis_delivery_oldest_seconds") < 630
    assert _told("precis_delivery_lanes_late") == 2

    await by_force(
        database, "UPDATE delivery SET next_at = next_at + interval '1 hour'"
    )
    await survey.run_once()
    assert _told("precis_delivery_oldest_seconds") == 0
    assert _told("precis_delivery_lanes_late") == 0


async def test_an_open_snapshot_and_the_dead_rows_it_keeps_are_told(
    survey: SurveyLoop, database: Database, database_url: str
) -> None:
    await a_job(database, await a_tenant(database))
    other = Database(database_url, pool_size=1)
    async with other.transaction() as open_one:
        await open_one.execute(text("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ"))
        await open_one.execute(text("SELECT count(*) FROM job"))
        for _ in range(5):
            await by_force(database, "UPDATE job SET tokens = tokens")

        async def are_told() -> bool:
            await survey.run_once()
            dead = _told("precis_dead_rows", table="job")
            return dead >= 5 and _told("precis_oldest_snapshot_seconds") > 1

        await until(are_told, what="dead rows and the snapshot that keeps them")
    await other.close()
