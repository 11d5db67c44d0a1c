"""What an owner is told by mail: deliveries given up, endpoints disabled. Once a day."""

from datetime import timedelta
from email import message_from_bytes
from email.message import EmailMessage
from email.policy import default
from uuid import UUID

import pytest

from notifier.notice_loop import NoticeLoop
from plumbing.database import Database
from tests.builders import TenantForTests, a_tenant, rows
from tests.database_clock import DatabaseClock
from tests.integration.notifier import receivers
from tests.integration.notifier.conftest import SENDER, MakeLoop, a_mail_sender
from tests.integration.notifier.endings import (
    an_ended_job,
    an_endpoint,
    send_due,
    to_url,
)
from tests.integration.notifier.receivers import Receiver
from tests.integration.notifier.relay import HANG_UP, ScriptedRelay

MINUTE = timedelta(minutes=1)
HOUR = timedelta(hours=1)
CANARY = "canary-of-the-owner"


@pytest.fixture
def notices(database: Database, relay: ScriptedRelay) -> NoticeLoop:
    return NoticeLoop(
        database,
        a_mail_sender(relay.port, limit=2),
        sender=SENDER,
        lease=timedelta(seconds=10),
    )


async def send_all(notices: NoticeLoop) -> int:
    sent = 0
    while await notices.run_once():
        sent += 1
    return sent


async def give_up(
    database: Database, loop: object, tenant: TenantForTests, *, count: int = 1
) -> None:
    """Deliveries of this tenant fail at their last try."""
    for _ in range(count):
        await an_ended_job(database, tenant)
    await rows(
        database,
        "UPDATE delivery SET attempt = 9, next_at = statement_timestamp()"
        " WHERE state = 'due' RETURNING id",
    )
    assert await send_due(loop) == count  # type: ignore[arg-type]


def mails(relay: ScriptedRelay) -> list[EmailMessage]:
    return [message_from_bytes(mail, policy=default) for mail in relay.mails]


def words(mail: EmailMessage) -> str:
    parts = [part.get_content() for part in mail.iter_parts()]
    assert len(parts) == 2
    return str(parts[0])


async def test_the_owner_is_told_what_was_given_up_and_where_to_look(
    clock: DatabaseClock,
    database: Database,
    make_loop: MakeLoop,
    receiver: Receiver,
    relay: ScriptedRelay,
    notices: NoticeLoop,
) -> None:
    tenant = await a_tenant(database)
    endpoint, _ = await an_endpoint(database, tenant, f"{receiver.url}?{CANARY}")
    receiver.behaviour = receivers.answer(500, body=CANARY.encode())
    loop = make_loop(clock=clock)
    await give_up(database, loop, tenant, count=3)
    assert await send_all(notices) == 0, "more may follow within minutes"
    clock.move_on(5 * MINUTE)
    assert await send_all(notices) == 1
    (mail,) = mails(relay)
    assert mail["To"] == "owner@example.com"
    assert mail["Subject"] == "Deliveries were given up"
    assert "3 deliveries" in words(mail)
    path = f"/v1/webhook-endpoints/we_{endpoint.hex}/deliveries"
    assert f"https://precis.example{path}" in words(mail)
    assert CANARY.encode() not in relay.mails[0]


async def test_a_thousand_given_up_are_one_mail(
    clock: DatabaseClock,
    database: Database,
    make_loop: MakeLoop,
    receiver: Receiver,
    relay: ScriptedRelay,
    notices: NoticeLoop,
) -> None:
    tenant = await a_tenant(database)
    endpoint, _ = await an_endpoint(database, tenant, receiver.url)
    receiver.behaviour = receivers.answer(404)
    loop = make_loop(clock=clock)
    await give_up(database, loop, tenant)
    await many_more(database, tenant, endpoint, count=999)
    while await send_due(loop):
        pass
    clock.move_on(5 * MINUTE)
    assert await send_all(notices) == 1
    (mail,) = mails(relay)
    assert "1000 deliveries" in words(mail)


async def many_more(
    database: Database, tenant: TenantForTests, endpoint: UUID, *, count: int
) -> None:
    """The same event to the same endpoint, each at its last try.

    In many lanes, so that many are given up at the same time.
    """
    await rows(
        database,
        "INSERT INTO delivery (event_id, job_id, tenant_id, kind, endpoint_id, lane,"
        " attempt, replay_of) SELECT d.event_id, d.job_id, d.tenant_id, d.kind,"
        " d.endpoint_id, d.lane || n % 64, 9, d.id FROM delivery d,"
        " generate_series(1, :count) n"
        " WHERE d.endpoint_id = :endpoint RETURNING id",
        endpoint=endpoint,
        count=count,
    )


async def test_one_mail_a_day_tells_of_the_same_and_leaves_none_untold(
    clock: DatabaseClock,
    database: Database,
    make_loop: MakeLoop,
    receiver: Receiver,
    relay: ScriptedRelay,
    notices: NoticeLoop,
) -> None:
    tenant = await a_tenant(database)
    await an_endpoint(database, tenant, receiver.url)
    receiver.behaviour = receivers.answer(404)
    loop = make_loop(clock=clock)
    await give_up(database, loop, tenant)
    clock.move_on(5 * MINUTE)
    assert await send_all(notices) == 1
    for _ in range(4):
        clock.move_on(5 * HOUR)
        await give_up(database, loop, tenant, count=2)
        assert await send_all(notices) == 0
    clock.move_on(4 * HOUR - MINUTE)
    assert await send_all(notices) == 0
    clock.move_on(MINUTE)
    assert await send_all(notices) == 1
    first, second = mails(relay)
    assert "1 delivery" in words(first)
    assert "8 deliveries" in words(second)
    assert first["Message-ID"] != second["Message-ID"]


async def test_an_endpoint_that_says_gone_is_told_at_once(
    clock: DatabaseClock,
    database: Database,
    make_loop: MakeLoop,
    receiver: Receiver,
    relay: ScriptedRelay,
    notices: NoticeLoop,
) -> None:
    tenant = await a_tenant(database)
    endpoint, _ = await an_endpoint(database, tenant, receiver.url)
    receiver.behaviour = receivers.answer(410)
    await an_ended_job(database, tenant)
    await send_due(make_loop(clock=clock))
    assert await send_all(notices) == 1
    (mail,) = mails(relay)
    assert mail["Subject"] == "A webhook endpoint was disabled"
    assert "410 Gone" in words(mail)
    path = f"/v1/webhook-endpoints/we_{endpoint.hex}/enable"
    assert f"POST https://precis.example{path}" in words(mail)


async def test_five_days_of_failures_are_told(
    clock: DatabaseClock,
    database: Database,
    make_loop: MakeLoop,
    receiver: Receiver,
    relay: ScriptedRelay,
    notices: NoticeLoop,
) -> None:
    tenant = await a_tenant(database)
    await an_endpoint(database, tenant, receiver.url)
    receiver.behaviour = receivers.answer(404)
    loop = make_loop(clock=clock)
    for _ in range(2):
        await an_ended_job(database, tenant)
        await send_due(loop)
        clock.move_on(timedelta(days=5))
    assert await send_all(notices) == 1
    assert "five days" in words(mails(relay)[0])


async def test_what_jobs_named_is_told_together(
    clock: DatabaseClock,
    database: Database,
    make_loop: MakeLoop,
    receiver: Receiver,
    relay: ScriptedRelay,
    notices: NoticeLoop,
) -> None:
    tenant, other = await a_tenant(database), await a_tenant(database)
    receiver.behaviour = receivers.answer(404)
    for each in (tenant, tenant, other):
        await an_ended_job(database, each, delivery=to_url(receiver.url))
    await rows(database, "UPDATE delivery SET attempt = 9 RETURNING id")
    await send_due(make_loop(clock=clock))
    clock.move_on(5 * MINUTE)
    assert await send_all(notices) == 2
    told = sorted(words(mail)[:14] for mail in mails(relay))
    assert told == ["1 delivery to ", "2 deliveries t"]


async def test_a_relay_that_is_away_gets_the_notice_later_and_once(
    clock: DatabaseClock,
    database: Database,
    make_loop: MakeLoop,
    receiver: Receiver,
    relay: ScriptedRelay,
    notices: NoticeLoop,
) -> None:
    tenant = await a_tenant(database)
    await an_endpoint(database, tenant, receiver.url)
    receiver.behaviour = receivers.answer(410)
    await an_ended_job(database, tenant)
    await send_due(make_loop(clock=clock))
    relay.says[""] = HANG_UP
    assert await send_all(notices) == 1
    assert await send_all(notices) == 0, "not before its time"
    relay.says.clear()
    clock.move_on(6 * timedelta(seconds=1))
    assert await send_all(notices) == 1
    clock.move_on(24 * HOUR)
    assert await send_all(notices) == 0
    assert len(relay.mails) == 1
    (stored,) = await rows(database, "SELECT * FROM notice")
    assert (stored.state, stored.attempt) == ("sent", 2)


async def test_a_notice_in_doubt_is_sent_three_times_at_most(
    clock: DatabaseClock,
    database: Database,
    make_loop: MakeLoop,
    receiver: Receiver,
    relay: ScriptedRelay,
    notices: NoticeLoop,
) -> None:
    tenant = await a_tenant(database)
    await an_endpoint(database, tenant, receiver.url)
    receiver.behaviour = receivers.answer(410)
    await an_ended_job(database, tenant)
    await send_due(make_loop(clock=clock))
    relay.says["."] = HANG_UP
    for _ in range(6):
        await send_all(notices)
        clock.move_on(HOUR)
    assert len({mail["Message-ID"] for mail in mails(relay)}) == 1
    assert len(relay.mails) == 3
    (stored,) = await rows(database, "SELECT * FROM notice")
    assert stored.state == "exhausted"
