"""The Python client against a running gateway."""

import asyncio
from collections.abc import AsyncIterator
from datetime import timedelta

import pytest

from jobs.ids import SUMMARY, parse_id
from plumbing.database import Database
from precis import (
    AsyncClient,
    Client,
    Conflict,
    InvalidRequest,
    JobFailed,
    NotFinished,
    NotFound,
    Patience,
    Summary,
    Unauthorized,
)
from tests.builders import TenantForTests, by_force, rows
from tests.integration.precis import worker_hand
from tests.integration.precis.cutting_proxy import CuttingProxy
from tests.integration.precis.worker_hand import WorkerHand

SHORT = "The council voted for electric buses. They will be delivered next spring."
LONG = "The council voted for electric buses. " * 900
HASTY = Patience(base=timedelta(milliseconds=10))


@pytest.fixture
async def client(
    service_url: str, tenant: TenantForTests
) -> AsyncIterator[AsyncClient]:
    async with AsyncClient(service_url, tenant.api_key, patience=HASTY) as opened:
        yield opened


async def test_a_short_text_is_one_call(client: AsyncClient) -> None:
    summary = await client.summarize(SHORT, length="short", metadata={"a": "b"})
    assert summary.is_succeeded
    assert summary.text
    assert summary.routing.tier == "realtime"
    assert summary.coverage == 1.0
    again = await client.result(summary.id)
    assert again.text == summary.text
    assert (await client.get(summary.id)).metadata == {"a": "b"}


async def test_the_blocking_client_does_the_same(
    service_url: str, tenant: TenantForTests
) -> None:
    def use() -> tuple[Summary, list[str]]:
        with Client(service_url, tenant.api_key) as client:
            made = client.summarize(SHORT)
            return made, [each.id for each in client.list()]

    summary, listed = await asyncio.to_thread(use)
    assert summary.text
    assert listed == [summary.id]


async def test_a_long_text_is_followed_to_its_words(
    client: AsyncClient, worker: WorkerHand
) -> None:
    seen: list[str] = []
    is_mapping = asyncio.Event()

    def follow(summary: Summary) -> None:
        seen.append(summary.progress.phase)
        if seen[-1] == "mapping":
            is_mapping.set()

    job = await client.submit(LONG, tier="batch", citations=True)
    job_id = parse_id(SUMMARY, job.id)
    assert job_id is not None
    assert job.status == "queued"
    with pytest.raises(NotFinished):
        await client.result(job.id)

    waiting = asyncio.create_task(client.wait(job.id, on_progress=follow))
    await worker.take(job_id)
    partial = await client.partial(job.id)
    assert [section.summary for section in partial.sections] == ["Section 0."]
    assert not partial.is_complete
    async with asyncio.timeout(30):
        await is_mapping.wait()
    await worker.succeed(job_id)
    summary = await waiting
    assert summary.text == worker_hand.SUMMARY
    assert summary.citations[0].source_end == 36
    assert seen[-1] == "done"


async def test_a_job_that_was_cancelled_is_an_error_for_who_waits(
    client: AsyncClient,
) -> None:
    job = await client.submit(LONG)
    assert (await client.cancel(job.id)).status == "cancelled"
    with pytest.raises(JobFailed) as caught:
        await client.wait(job.id)
    assert caught.value.summary.status == "cancelled"


async def test_a_wait_with_a_limit_comes_back_unfinished(client: AsyncClient) -> None:
    job = await client.summarize(LONG, wait=timedelta(seconds=1.2))
    assert (job.status, job.text) == ("queued", None)


async def test_a_lost_answer_makes_no_second_job(
    service_url: str, tenant: TenantForTests, service_database: Database
) -> None:
    async with (
        CuttingProxy(service_url, losses=3) as proxy,
        AsyncClient(proxy.url, tenant.api_key, patience=HASTY) as client,
    ):
        job = await client.submit(LONG)
    assert proxy.lost == 3
    found = await rows(
        service_database, "SELECT id FROM job WHERE tenant_id = :id", id=tenant.id
    )
    assert [row.id for row in found] == [parse_id(SUMMARY, job.id)]


async def test_a_key_of_ones_own_gives_the_same_job(client: AsyncClient) -> None:
    first = await client.submit(LONG, idempotency_key='book "1"')
    second = await client.submit(LONG, idempotency_key='book "1"')
    assert first.id == second.id
    with pytest.raises(InvalidRequest) as caught:
        await client.submit(SHORT, idempotency_key='book "1"')
    assert caught.value.problem.code == "key_reused"


async def test_lists_go_on_over_pages(client: AsyncClient) -> None:
    made = [(await client.submit(LONG, metadata={"n": str(n)})).id for n in range(5)]
    listed = [each.id async for each in client.list(page_size=2)]
    assert listed == made[::-1]
    found = [each.id async for each in client.list(metadata={"n": "3"})]
    assert found == [made[3]]
    assert [each async for each in client.list(status="failed")] == []


async def test_webhook_endpoints_are_managed(
    client: AsyncClient, service_database: Database
) -> None:
    endpoints = client.webhook_endpoints
    made = await endpoints.create("http://127.0.0.1:9/hook", description="mine")
    assert made.secret is not None
    assert made.secret not in repr(made)
    assert [each.id async for each in endpoints.list()] == [made.id]
    rotated = await endpoints.rotate(made.id)
    assert rotated.secret not in (None, made.secret)
    assert (await endpoints.get(made.id)).secret is None

    job = await client.submit(LONG, webhook=made.id)
    await client.cancel(job.id)
    [delivery] = [each async for each in endpoints.deliveries(made.id)]
    assert delivery.summary_id == job.id
    with pytest.raises(Conflict):
        await endpoints.replay(delivery.id)
    await _deliver_all(service_database)
    replayed = await endpoints.replay(delivery.id)
    assert replayed.event_id == delivery.event_id

    await endpoints.delete(made.id)
    with pytest.raises(NotFound):
        await endpoints.get(made.id)


async def test_what_is_refused_carries_the_problem(client: AsyncClient) -> None:
    with pytest.raises(InvalidRequest) as caught:
        await client.submit("  ")
    assert caught.value.problem.code == "text_empty"
    with pytest.raises(InvalidRequest):
        await client.submit("a lone surrogate \ud800")


async def test_a_made_up_key_is_unauthorized(service_url: str) -> None:
    async with AsyncClient(service_url, "sk_live_made_up") as client:
        with pytest.raises(Unauthorized):
            await client.get("sum_0199a1b2c3d47e8f9a0b1c2d3e4f5a6b")


async def _deliver_all(database: Database) -> None:
    """What the notifier does, once every receiver has said 200."""
    await by_force(
        database,
        "UPDATE delivery SET state = 'delivered', attempt = 1, finished_at = now()"
        " WHERE state = 'due'",
    )
