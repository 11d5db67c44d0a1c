"""A worker that cannot work leaves the work to those who can."""

from jobs.lifecycle import State
from tests.builders import a_job, a_tenant
from tests.fixtures.processes import free_port
from tests.integration.workers.conftest import BatchTier
from tests.waiting import until


async def test_a_worker_without_engines_takes_no_hint_from_the_others(
    batch: BatchTier,
) -> None:
    """It is idle and so the first to take a message; nobody replaces hints here."""
    tenant = await a_tenant(batch.database)
    nowhere = f"http://127.0.0.1:{free_port()}"
    told = batch.environment | {"PRECIS_BATCH_ENGINE_URLS": nowhere}
    idle = batch.processes.start("workers.batch", environment=told)

    async def takes_messages() -> bool:
        return " ready." in idle.log.read_text()

    await until(takes_messages, what="the idle worker takes no messages")
    await batch.start_worker()
    await batch.start_dispatcher(PRECIS_RECONCILE_INTERVAL="PT1H")
    jobs = []
    for _ in range(12):
        jobs.append(await a_job(batch.database, tenant))
        assert await batch.wait_final(jobs[-1]) == {State.SUCCEEDED}
