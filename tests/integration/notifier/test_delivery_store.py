"""What owners see of deliveries, and sending one again."""

from uuid import UUID, uuid4

import pytest

from jobs.errors import EndpointUnknown
from jobs.store.delivery_store import (
    Delivery,
    DeliveryUnknown,
    Page,
    ReplayRefused,
    get_delivery,
    list_deliveries,
    replay_delivery,
)
from jobs.store.endpoint_store import delete_endpoint
from plumbing.database import Database
from tests.builders import TenantForTests, a_tenant, by_force
from tests.integration.notifier import receivers
from tests.integration.notifier.conftest import MakeLoop
from tests.integration.notifier.endings import (
    an_ended_job,
    an_endpoint,
    delivery_of,
    send_due,
    to_url,
)
from tests.integration.notifier.receivers import Receiver


async def listed(
    database: Database,
    tenant: TenantForTests,
    endpoint: UUID,
    *,
    limit: int = 10,
    before_id: UUID | None = None,
) -> list[Delivery]:
    async with database.statement() as tx:
        return await list_deliveries(
            tx,
            endpoint,
            page=Page(tenant_id=tenant.id, limit=limit, before_id=before_id),
        )


async def replay(database: Database, tenant: TenantForTests, id_: UUID) -> Delivery:
    async with database.transaction() as tx:
        return await replay_delivery(tx, id_, tenant_id=tenant.id)


async def test_deliveries_are_listed_with_their_attempts_newest_first(
    database: Database, make_loop: MakeLoop, receiver: Receiver
) -> None:
    tenant = await a_tenant(database)
    endpoint, _ = await an_endpoint(database, tenant, receiver.url)
    jobs = [await an_ended_job(database, tenant) for _ in range(5)]
    receiver.behaviour = receivers.answer(503)
    await send_due(make_loop())
    first = await listed(database, tenant, endpoint, limit=3)
    rest = await listed(database, tenant, endpoint, limit=3, before_id=first[-1].id)
    assert [delivery.job_id for delivery in first + rest] == jobs[::-1]
    newest = first[0]
    assert newest.event_type == "summary.cancelled"
    assert (newest.state, newest.kind) == ("due", "webhook")
    assert newest.next_at is not None
    (attempt,) = newest.attempts
    assert (attempt.number, attempt.code, attempt.error) == (1, 503, "status")


async def test_another_tenant_sees_and_repeats_nothing(
    database: Database, make_loop: MakeLoop, receiver: Receiver
) -> None:
    owner, stranger = await a_tenant(database), await a_tenant(database)
    endpoint, _ = await an_endpoint(database, owner, receiver.url)
    job = await an_ended_job(database, owner)
    await send_due(make_loop())
    delivery = await delivery_of(database, job)
    with pytest.raises(EndpointUnknown):
        await listed(database, stranger, endpoint)
    async with database.statement() as tx:
        with pytest.raises(DeliveryUnknown):
            await get_delivery(tx, delivery.id, tenant_id=stranger.id)
    with pytest.raises(DeliveryUnknown):
        await replay(database, stranger, delivery.id)
    other, _ = await an_endpoint(database, stranger, receiver.url)
    assert await listed(database, stranger, other, before_id=delivery.id) == []


async def test_a_replay_is_a_new_delivery_of_the_same_event(
    database: Database, make_loop: MakeLoop, receiver: Receiver
) -> None:
    tenant = await a_tenant(database)
    job = await an_ended_job(database, tenant, delivery=to_url(receiver.url))
    loop = make_loop()
    await send_due(loop)
    original = await delivery_of(database, job)
    again = await replay(database, tenant, original.id)
    assert again.id != original.id
    assert again.replay_of == original.id
    assert (again.state, again.attempts) == ("due", ())
    await replay(database, tenant, original.id)
    await send_due(loop)
    assert len(receiver.received) == 3
    assert len({request.body for request in receiver.received}) == 1
    assert {request.headers["webhook-id"] for request in receiver.received} == {
        original.event_id
    }


async def test_an_unfinished_delivery_is_not_repeated(
    database: Database, receiver: Receiver
) -> None:
    tenant = await a_tenant(database)
    job = await an_ended_job(database, tenant, delivery=to_url(receiver.url))
    with pytest.raises(ReplayRefused) as refusal:
        await replay(database, tenant, (await delivery_of(database, job)).id)
    assert refusal.value.obstacle == "delivery_unfinished"


async def test_after_thirty_days_it_is_too_late(
    database: Database, make_loop: MakeLoop, receiver: Receiver
) -> None:
    tenant = await a_tenant(database)
    job = await an_ended_job(database, tenant, delivery=to_url(receiver.url))
    await send_due(make_loop())
    await by_force(
        database,
        "UPDATE delivery SET finished_at = finished_at - interval '31 days'",
    )
    with pytest.raises(ReplayRefused) as refusal:
        await replay(database, tenant, (await delivery_of(database, job)).id)
    assert refusal.value.obstacle == "replay_expired"


async def test_nothing_is_repeated_to_a_deleted_endpoint(
    database: Database, make_loop: MakeLoop, receiver: Receiver
) -> None:
    tenant = await a_tenant(database)
    endpoint, _ = await an_endpoint(database, tenant, receiver.url)
    job = await an_ended_job(database, tenant)
    await send_due(make_loop())
    async with database.statement() as tx:
        await delete_endpoint(tx, endpoint, tenant_id=tenant.id)
    with pytest.raises(ReplayRefused) as refusal:
        await replay(database, tenant, (await delivery_of(database, job)).id)
    assert refusal.value.obstacle == "endpoint_disabled"


async def test_an_unknown_delivery_is_unknown(database: Database) -> None:
    tenant = await a_tenant(database)
    with pytest.raises(DeliveryUnknown):
        await replay(database, tenant, uuid4())
