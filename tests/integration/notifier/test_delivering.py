"""From a job's ending to a receiver, and every step of the schedule, on a real database."""

import asyncio
import json

from standardwebhooks import Webhook

from jobs.store.endpoint_store import delete_endpoint, rotate_endpoint_secret
from jobs.store.tenant_store import rotate_webhook_secret
from notifier.signatures import new_secret
from plumbing.database import Database
from plumbing.sealing import MasterKey
from tests.builders import a_tenant, rows
from tests.integration.notifier import receivers
from tests.integration.notifier.conftest import MakeLoop
from tests.integration.notifier.endings import (
    an_ended_job,
    an_endpoint,
    attempts_of,
    delivery_of,
    eventually,
    make_due,
    sealed_for,
    send_due,
    to_url,
)
from tests.integration.notifier.receivers import Receiver


async def test_a_url_given_with_the_job_is_told_and_can_verify_it(
    database: Database, make_loop: MakeLoop, receiver: Receiver
) -> None:
    tenant = await a_tenant(database)
    job = await an_ended_job(database, tenant, delivery=to_url(receiver.url))
    assert await send_due(make_loop()) == 1
    (request,) = receiver.received
    event = Webhook(tenant.webhook_secret).verify(request.body, request.headers)
    assert event["type"] == "summary.cancelled"
    assert event["data"]["id"] == f"sum_{job.hex}"
    assert event["data"]["status"] == "cancelled"
    delivery = await delivery_of(database, job)
    assert delivery.state == "delivered"
    assert request.headers["webhook-id"] == delivery.event_id
    (attempt,) = await attempts_of(database, delivery.id)
    assert (attempt.number, attempt.code, attempt.error) == (1, 200, None)
    assert attempt.started_at <= attempt.finished_at


async def test_an_endpoint_is_told_under_its_own_secret(
    database: Database, make_loop: MakeLoop, receiver: Receiver
) -> None:
    tenant = await a_tenant(database)
    _, secret = await an_endpoint(database, tenant, receiver.url)
    await an_ended_job(database, tenant)
    await send_due(make_loop())
    (request,) = receiver.received
    assert Webhook(secret).verify(request.body, request.headers)


async def test_both_secrets_sign_after_a_rotation(
    database: Database,
    make_loop: MakeLoop,
    receiver: Receiver,
    master_key: MasterKey,
) -> None:
    tenant = await a_tenant(database)
    endpoint, old = await an_endpoint(database, tenant, receiver.url)
    new, new_of_tenant = new_secret(), new_secret()
    label = f"webhook-secret:{tenant.id.hex}"
    async with database.transaction() as tx:
        await rotate_endpoint_secret(
            tx,
            endpoint,
            tenant_id=tenant.id,
            sealed_secret=sealed_for(endpoint, new),
        )
        await rotate_webhook_secret(
            tx, tenant.id, sealed=master_key.seal(new_of_tenant.encode(), label=label)
        )
    await an_ended_job(database, tenant)
    await an_ended_job(database, tenant, delivery=to_url(receiver.url))
    await send_due(make_loop())
    to_endpoint, to_job_url = sorted(
        receiver.received, key=lambda request: not _verifies(new, request)
    )
    assert _verifies(old, to_endpoint)
    assert _verifies(new_of_tenant, to_job_url)
    assert _verifies(tenant.webhook_secret, to_job_url)


async def test_the_old_secret_stops_signing_after_a_day(
    database: Database, make_loop: MakeLoop, receiver: Receiver
) -> None:
    tenant = await a_tenant(database)
    endpoint, old = await an_endpoint(database, tenant, receiver.url)
    new = new_secret()
    async with database.statement() as tx:
        await rotate_endpoint_secret(
            tx, endpoint, tenant_id=tenant.id, sealed_secret=sealed_for(endpoint, new)
        )
    await rows(
        database,
        "UPDATE webhook_endpoint SET rotated_at = rotated_at - interval '25 hours'"
        " RETURNING id",
    )
    await an_ended_job(database, tenant)
    await send_due(make_loop())
    assert _verifies(new, receiver.received[0])
    assert not _verifies(old, receiver.received[0])


async def test_every_attempt_and_receiver_gets_the_same_id_and_bytes(
    database: Database, make_loop: MakeLoop, receiver: Receiver
) -> None:
    tenant = await a_tenant(database)
    await an_endpoint(database, tenant, receiver.url)
    await an_endpoint(database, tenant, receiver.url + "/other")
    await an_ended_job(database, tenant)
    loop = make_loop()
    receiver.behaviour = receivers.answer(404)
    await send_due(loop)
    # What the job object would say now must not matter any more.
    await rows(
        database,
        "INSERT INTO job_metadata (tenant_id, key, value, job_id)"
        " SELECT tenant_id, 'a', 'b', id FROM job RETURNING key",
    )
    await make_due(database)
    await send_due(loop)
    assert len(receiver.received) == 4
    assert len({request.body for request in receiver.received}) == 1
    assert len({request.headers["webhook-id"] for request in receiver.received}) == 1


async def test_a_receiver_that_comes_back_gets_it(
    database: Database, make_loop: MakeLoop, receiver: Receiver
) -> None:
    tenant = await a_tenant(database)
    job = await an_ended_job(database, tenant, delivery=to_url(receiver.url))
    loop = make_loop()
    receiver.behaviour = receivers.answer(500)
    await send_due(loop)
    receiver.behaviour = receivers.answer(202)
    await make_due(database)
    await send_due(loop)
    delivery = await delivery_of(database, job)
    assert (delivery.state, delivery.attempt) == ("delivered", 2)
    codes = [attempt.code for attempt in await attempts_of(database, delivery.id)]
    assert codes == [500, 202]


async def test_gone_disables_the_endpoint_and_cancels_what_waits_for_it(
    database: Database, make_loop: MakeLoop, receiver: Receiver
) -> None:
    tenant = await a_tenant(database)
    endpoint, _ = await an_endpoint(database, tenant, receiver.url)
    loop = make_loop()
    receiver.behaviour = receivers.answer(500)
    waiting = await an_ended_job(database, tenant)
    await send_due(loop)
    receiver.behaviour = receivers.answer(410)
    refused = await an_ended_job(database, tenant)
    await send_due(loop)
    assert (await delivery_of(database, refused)).state == "refused"
    assert (await delivery_of(database, waiting)).state == "cancelled"
    (stored,) = await rows(database, "SELECT * FROM webhook_endpoint")
    assert (stored.state, stored.disabled_reason) == ("disabled", "gone")
    assert stored.id == endpoint
    untold = await an_ended_job(database, tenant)
    told = await rows(
        database, "SELECT 1 FROM delivery WHERE job_id = :job", job=untold
    )
    assert not told


async def test_an_endpoint_deleted_after_the_ending_is_not_told(
    database: Database, make_loop: MakeLoop, receiver: Receiver
) -> None:
    tenant = await a_tenant(database)
    endpoint, _ = await an_endpoint(database, tenant, receiver.url)
    waiting = await an_ended_job(database, tenant)
    claimed = await an_ended_job(database, tenant)
    # One that is in a notifier's hands just then comes back and meets the same end.
    await rows(
        database,
        "UPDATE delivery SET state = 'sending', fence = fence + 1,"
        " lease_until = statement_timestamp() WHERE job_id = :job RETURNING id",
        job=claimed,
    )
    async with database.statement() as tx:
        await delete_endpoint(tx, endpoint, tenant_id=tenant.id)
    assert (await delivery_of(database, waiting)).state == "cancelled"
    await send_due(make_loop())
    assert (await delivery_of(database, claimed)).state == "cancelled"
    assert not receiver.received


async def test_a_url_whose_network_is_no_longer_allowed_is_blocked_for_good(
    database: Database, make_loop: MakeLoop
) -> None:
    tenant = await a_tenant(database)
    job = await an_ended_job(database, tenant, delivery=to_url("http://10.0.0.1/h"))
    await send_due(make_loop())
    delivery = await delivery_of(database, job)
    assert (delivery.state, delivery.last_error) == ("blocked", "address_blocked")


async def test_no_text_and_no_summary_are_sent(
    database: Database, make_loop: MakeLoop, receiver: Receiver
) -> None:
    tenant = await a_tenant(database)
    await an_ended_job(
        database, tenant, text="canary-in-the-text", delivery=to_url(receiver.url)
    )
    await send_due(make_loop())
    assert b"canary" not in receiver.received[0].body
    assert json.loads(receiver.received[0].body)["data"]["summary"] is None


async def test_stopping_gives_back_what_cannot_end_in_time(
    database: Database, make_loop: MakeLoop, receiver: Receiver
) -> None:
    tenant = await a_tenant(database)
    receiver.behaviour = receivers.hang
    job = await an_ended_job(database, tenant, delivery=to_url(receiver.url))
    loop, stop = make_loop(limit=30), asyncio.Event()
    running = asyncio.create_task(loop.run(stop))
    await eventually(lambda: bool(receiver.received))
    stop.set()
    await running
    delivery = await delivery_of(database, job)
    assert (delivery.state, delivery.attempt) == ("due", 0)
    assert delivery.lease_until is None


def _verifies(secret: str, request: receivers.Received) -> bool:
    try:
        Webhook(secret).verify(request.body, request.headers)
    except Exception:  # noqa: BLE001 - the library raises several kinds
        return False
    return True
