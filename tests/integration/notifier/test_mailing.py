"""Mail: handed to a real sink, and to a relay that says what relays say."""

from email import message_from_bytes
from email.policy import default
from pathlib import Path

import pytest

from plumbing.database import Database
from tests.builders import a_tenant
from tests.fixtures.servers import SmtpSink
from tests.integration.notifier.conftest import MakeLoop
from tests.integration.notifier.endings import (
    an_ended_job,
    attempts_of,
    delivery_of,
    make_due,
    send_due,
)
from tests.integration.notifier.relay import HANG_UP, ScriptedRelay

ADA = {"email": ["ada@example.org"]}


async def test_a_mail_arrives(
    database: Database, make_loop: MakeLoop, smtp_sink: SmtpSink
) -> None:
    tenant = await a_tenant(database)
    job = await an_ended_job(database, tenant, delivery=ADA, text="canary in the text")
    before = set(mails_in(smtp_sink.folder))
    await send_due(make_loop(relay_port=smtp_sink.port))
    delivery = await delivery_of(database, job)
    assert delivery.state == "delivered"
    (path,) = set(mails_in(smtp_sink.folder)) - before
    mail = message_from_bytes(path.read_bytes(), policy=default)
    assert mail["To"] == "ada@example.org"
    assert mail["Subject"] == "Your summary was cancelled"
    assert mail["Auto-Submitted"] == "auto-generated"
    assert mail["Message-ID"] == f"<{delivery.event_id}@mail.example.com>"
    for part in mail.iter_parts():
        assert (
            f"https://precis.example/v1/summaries/sum_{job.hex}" in part.get_content()
        )
    assert b"canary" not in path.read_bytes()


async def test_each_mailbox_gets_a_mail_of_its_own(
    database: Database, make_loop: MakeLoop, relay: ScriptedRelay
) -> None:
    tenant = await a_tenant(database)
    mailboxes = {"email": ["ada@example.org", "bob@example.net"]}
    await an_ended_job(database, tenant, delivery=mailboxes)
    await send_due(make_loop(relay_port=relay.port))
    assert sorted(relay.receivers) == [
        "RCPT TO:<ada@example.org>",
        "RCPT TO:<bob@example.net>",
    ]
    assert all(mail.count(b"@example.") == 1 for mail in relay.mails)


@pytest.mark.parametrize(
    ("verb", "reply", "state", "error"),
    [
        ("RCPT", b"550 no such mailbox\r\n", "refused", "mail_refused"),
        ("RCPT", b"450 greylisted\r\n", "due", "relay_busy"),
        (".", b"554 rejected\r\n", "refused", "mail_refused"),
        (".", b"452 disk full\r\n", "due", "relay_busy"),
        ("DATA", b"451 later\r\n", "due", "relay_busy"),
        ("", b"421 too busy\r\n", "due", "relay_refused_us"),
        ("", b"554 go away\r\n", "due", "relay_refused_us"),
        ("MAIL", b"550 not from you\r\n", "due", "relay_refused_us"),
        ("", b"\xff\xfe junk\r\n" * 3, "due", None),
        ("RCPT", b"25", "due", "timeout"),
        ("RCPT", None, "due", "timeout"),
        ("RCPT", HANG_UP, "due", "relay_unreachable"),
        (".", HANG_UP, "due", "reply_lost"),
        (".", None, "due", "reply_lost"),
    ],
)
async def test_what_the_relay_says_decides_the_next_step(
    database: Database,
    make_loop: MakeLoop,
    relay: ScriptedRelay,
    verb: str,
    reply: bytes | None,
    state: str,
    error: str | None,
) -> None:
    relay.says[verb] = reply
    tenant = await a_tenant(database)
    job = await an_ended_job(database, tenant, delivery=ADA)
    await send_due(make_loop(relay_port=relay.port, limit=1))
    delivery = await delivery_of(database, job)
    assert delivery.state == state
    assert delivery.attempt == 1
    if error:
        assert delivery.last_error == error


async def test_a_relay_that_is_away_is_tried_again(
    database: Database, make_loop: MakeLoop
) -> None:
    tenant = await a_tenant(database)
    job = await an_ended_job(database, tenant, delivery=ADA)
    await send_due(make_loop(relay_port=1))
    delivery = await delivery_of(database, job)
    assert (delivery.state, delivery.last_error) == ("due", "relay_unreachable")


async def test_a_repeat_is_the_same_mail(
    database: Database, make_loop: MakeLoop, relay: ScriptedRelay
) -> None:
    relay.says["."] = HANG_UP
    tenant = await a_tenant(database)
    job = await an_ended_job(database, tenant, delivery=ADA)
    loop = make_loop(relay_port=relay.port)
    await send_due(loop)
    relay.says.clear()
    await make_due(database)
    await send_due(loop)
    assert (await delivery_of(database, job)).state == "delivered"
    first, second = (message_from_bytes(mail, policy=default) for mail in relay.mails)
    assert first["Message-ID"] == second["Message-ID"]
    assert first["Date"] == second["Date"]


async def test_a_mail_in_doubt_is_sent_three_times_at_most(
    database: Database, make_loop: MakeLoop, relay: ScriptedRelay
) -> None:
    relay.says["."] = HANG_UP
    tenant = await a_tenant(database)
    job = await an_ended_job(database, tenant, delivery=ADA)
    loop = make_loop(relay_port=relay.port)
    for _ in range(5):
        await send_due(loop)
        await make_due(database)
    delivery = await delivery_of(database, job)
    assert delivery.state == "exhausted"
    assert len(relay.mails) == 3
    assert len(await attempts_of(database, delivery.id)) == 3


async def test_passing_refusals_do_not_count_as_doubt(
    database: Database, make_loop: MakeLoop, relay: ScriptedRelay
) -> None:
    relay.says["RCPT"] = b"450 greylisted\r\n"
    tenant = await a_tenant(database)
    job = await an_ended_job(database, tenant, delivery=ADA)
    loop = make_loop(relay_port=relay.port)
    for _ in range(5):
        await send_due(loop)
        await make_due(database)
    delivery = await delivery_of(database, job)
    assert (delivery.state, delivery.attempt) == ("due", 5)


def mails_in(folder: Path) -> list[Path]:
    return list(folder.rglob("*.eml"))
