"""What an owner is told by mail: deliveries given up, endpoints disabled. Once a day."""

from dataclasses import dataclass
from datetime import timedelta
from email import message_from_bytes
from email.message import EmailMessage
from email.policy import default
from uuid import UUID

import pytest

from notifier.notice_loop import NoticeLoop
from notifier.sending_loop import SendingLoop
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


@dataclass(frozen=True)
class Office:
    """Everything between a receiver that refuses and the mail that tells its owner."""

    clock: DatabaseClock
    database: Database
    loop: SendingLoop
    receiver: Receiver
    relay: ScriptedRelay
    notices: NoticeLoop

    async def send_one(self, tenant: TenantForTests) -> None:
        """A job ends, and the tenant's receiver hears of it."""
        await an_ended_job(self.database, tenant)
        await send_due(self.loop)

    async def give_up(self, tenant: TenantForTests, *, count: int = 1) -> None:
        """Deliveries of this tenant fail at their last try."""
        for _ in range(count):
            await an_ended_job(self.database, tenant)
        await rows(
            self.database,
            "UPDATE delivery SET attempt = 9, next_at = statement_timestamp()"
            " WHERE state = 'due' RETURNING id",
        )
        assert await send_due(self.loop) == count

    async def send_all(self) -> int:
        sent = 0
        while await self.notices.run_once():
            sent += 1
        return sent

    @property
    def mails(self) -> list[EmailMessage]:
        return [message_from_bytes(mail, policy=default) for mail in self.relay.mails]


@pytest.fixture
def office(
    clock: DatabaseClock,
    database: Database,
    make_loop: MakeLoop,
    receiver: Receiver,
    relay: ScriptedRelay,
) -> Office:
    notices = NoticeLoop(
        database,
        a_mail_sender(relay.port, limit=2),
        sender=SENDER,
        lease=timedelta(seconds=10),
    )
    return Office(clock, database, make_loop(clock=clock), receiver, relay, notices)


def words(mail: EmailMessage) -> str:
    parts = [part.get_content() for part in mail.iter_parts()]
    assert len(parts) == 2
    return str(parts[0])


async def test_the_owner_is_told_what_was_given_up_and_where_to_look(
    office: Office,
) -> None:
    tenant = await a_tenant(office.database)
    endpoint, _ = await an_endpoint(
        office.database, tenant, f"{office.receiver.url}?{CANARY}"
    )
    office.receiver.behaviour = receivers.answer(500, body=CANARY.encode())
    await office.give_up(tenant, count=3)
    assert await office.send_all() == 0, "more may follow within minutes"
    office.clock.move_on(5 * MINUTE)
    assert await office.send_all() == 1
    (mail,) = office.mails
    assert mail["To"] == "owner@example.com"
    assert mail["Subject"] == "Deliveries were given up"
    assert "3 deliveries" in words(mail)
    path = f"/v1/webhook-endpoints/we_{endpoint.hex}/deliveries"
    assert f"https://precis.example{path}" in words(mail)
    assert CANARY.encode() not in office.relay.mails[0]


async def test_a_thousand_given_up_are_one_mail(office: Office) -> None:
    tenant = await a_tenant(office.database)
    endpoint, _ = await an_endpoint(office.database, tenant, office.receiver.url)
    office.receiver.behaviour = receivers.answer(404)
    await office.give_up(tenant)
    await many_more(office.database, tenant, endpoint, count=999)
    while await send_due(office.loop):
        pass
    office.clock.move_on(5 * MINUTE)
    assert await office.send_all() == 1
    (mail,) = office.mails
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
    office: Office,
) -> None:
    tenant = await a_tenant(office.database)
    await an_endpoint(office.database, tenant, office.receiver.url)
    office.receiver.behaviour = receivers.answer(404)
    await office.give_up(tenant)
    office.clock.move_on(5 * MINUTE)
    assert await office.send_all() == 1
    for _ in range(4):
        office.clock.move_on(5 * HOUR)
        await office.give_up(tenant, count=2)
        assert await office.send_all() == 0
    office.clock.move_on(4 * HOUR - MINUTE)
    assert await office.send_all() == 0
    office.clock.move_on(MINUTE)
    assert await office.send_all() == 1
    first, second = office.mails
    assert "1 delivery" in words(first)
    assert "8 deliveries" in words(second)
    assert first["Message-ID"] != second["Message-ID"]


async def test_an_endpoint_that_says_gone_is_told_at_once(office: Office) -> None:
    tenant = await a_tenant(office.database)
    endpoint, _ = await an_endpoint(office.database, tenant, office.receiver.url)
    office.receiver.behaviour = receivers.answer(410)
    await office.send_one(tenant)
    assert await office.send_all() == 1
    (mail,) = office.mails
    assert mail["Subject"] == "A webhook endpoint was disabled"
    assert "410 Gone" in words(mail)
    path = f"/v1/webhook-endpoints/we_{endpoint.hex}/enable"
    assert f"POST https://precis.example{path}" in words(mail)


async def test_five_days_of_failures_are_told(office: Office) -> None:
    tenant = await a_tenant(office.database)
    await an_endpoint(office.database, tenant, office.receiver.url)
    office.receiver.behaviour = receivers.answer(404)
    for _ in range(2):
        await office.send_one(tenant)
        office.clock.move_on(timedelta(days=5))
    assert await office.send_all() == 1
    assert "five days" in words(office.mails[0])


async def test_what_jobs_named_is_told_together(office: Office) -> None:
    tenant, other = await a_tenant(office.database), await a_tenant(office.database)
    office.receiver.behaviour = receivers.answer(404)
    for each in (tenant, tenant, other):
        await an_ended_job(office.database, each, delivery=to_url(office.receiver.url))
    await rows(office.database, "UPDATE delivery SET attempt = 9 RETURNING id")
    await send_due(office.loop)
    office.clock.move_on(5 * MINUTE)
    assert await office.send_all() == 2
    told = sorted(words(mail)[:14] for mail in office.mails)
    assert told == ["1 delivery to ", "2 deliveries t"]


async def test_a_relay_that_is_away_gets_the_notice_later_and_once(
    office: Office,
) -> None:
    tenant = await a_tenant(office.database)
    await an_endpoint(office.database, tenant, office.receiver.url)
    office.receiver.behaviour = receivers.answer(410)
    await office.send_one(tenant)
    office.relay.says[""] = HANG_UP
    assert await office.send_all() == 1
    assert await office.send_all() == 0, "not before its time"
    office.relay.says.clear()
    office.clock.move_on(6 * timedelta(seconds=1))
    assert await office.send_all() == 1
    office.clock.move_on(24 * HOUR)
    assert await office.send_all() == 0
    assert len(office.relay.mails) == 1
    (stored,) = await rows(office.database, "SELECT * FROM notice")
    assert (stored.state, stored.attempt) == ("sent", 2)


async def test_a_notice_in_doubt_is_sent_three_times_at_most(office: Office) -> None:
    tenant = await a_tenant(office.database)
    await an_endpoint(office.database, tenant, office.receiver.url)
    office.receiver.behaviour = receivers.answer(410)
    await office.send_one(tenant)
    office.relay.says["."] = HANG_UP
    for _ in range(6):
        await office.send_all()
        office.clock.move_on(HOUR)
    assert len({mail["Message-ID"] for mail in office.mails}) == 1
    assert len(office.relay.mails) == 3
    (stored,) = await rows(office.database, "SELECT * FROM notice")
    assert stored.state == "exhausted"
