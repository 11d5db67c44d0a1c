"""Relays that break: a mail waits, is refused for good, or is in doubt three times."""

import signal
from email import message_from_bytes
from functools import partial
from typing import Any

import pytest

from plumbing.database import Database
from tests.builders import TenantForTests
from tests.faults.notifier.conftest import SHORT
from tests.faults.proxy import Flow, Proxy
from tests.integration.notifier.endings import (
    an_ended_job,
    attempt_ended,
    attempts_of,
    delivery_of,
    has_state,
    make_due,
)
from tests.integration.notifier.notifier_process import a_notifier
from tests.integration.notifier.relay import HANG_UP, ScriptedRelay
from tests.waiting import until

ADA = {"email": ["ada@example.org"]}


def through(port: int) -> dict[str, str]:
    return SHORT | {"PRECIS_SMTP_PORT": str(port)}


async def has_got(relay: ScriptedRelay, count: int) -> bool:
    return len(relay.mails) >= count


def message_ids(relay: ScriptedRelay) -> list[str]:
    return [message_from_bytes(mail)["Message-ID"] for mail in relay.mails]


async def fails_then_gets_it(
    database: Database, database_url: str, tenant: TenantForTests, relay: ScriptedRelay
) -> Any:
    """One try that fails; then the relay is well. The failed delivery is returned."""
    job = await an_ended_job(database, tenant, delivery=ADA)
    async with a_notifier(database_url, **through(relay.port)):
        await until(partial(attempt_ended, database))
        failed = await delivery_of(database, job)
        assert (failed.state, failed.attempt) == ("due", 1)
        relay.says.clear()
        await make_due(database)
        await until(partial(has_state, database, job, "delivered"))
    assert len(set(message_ids(relay))) == 1
    return failed


async def test_fault_smtp_relay_k9(
    database: Database, database_url: str, tenant: TenantForTests, relay: ScriptedRelay
) -> None:
    relay.says["RCPT"] = HANG_UP
    failed = await fails_then_gets_it(database, database_url, tenant, relay)
    assert (failed.last_error, failed.doubts) == ("relay_unreachable", 0)
    assert len(relay.mails) == 1


async def test_fault_smtp_relay_term(
    database: Database, database_url: str, tenant: TenantForTests, relay: ScriptedRelay
) -> None:
    relay.says[""] = b"421 shutting down\r\n"
    failed = await fails_then_gets_it(database, database_url, tenant, relay)
    assert failed.last_error == "relay_refused_us"


async def test_fault_smtp_relay_stop(
    database: Database, database_url: str, tenant: TenantForTests, relay: ScriptedRelay
) -> None:
    relay.says["MAIL"] = None
    failed = await fails_then_gets_it(database, database_url, tenant, relay)
    (attempt, _) = await attempts_of(database, failed.id)
    assert attempt.error == "timeout"
    assert (attempt.finished_at - attempt.started_at).total_seconds() < 3


async def test_fault_smtp_relay_rst(
    database: Database, database_url: str, tenant: TenantForTests, relay: ScriptedRelay
) -> None:
    """Away and back again: twenty mails, each taken once, none sent in between."""
    port = relay.port
    await relay.go_away()
    async with a_notifier(database_url, **through(port)):
        for number in range(20):
            named = {"email": [f"ada@host{number}.example.org"]}
            await an_ended_job(database, tenant, delivery=named)
        await until(partial(attempt_ended, database, count=20))
        await relay.listen(port)
        await make_due(database)
        await until(partial(has_got, relay, 20))
    assert len(set(message_ids(relay))) == len(relay.mails) == 20


async def test_fault_smtp_relay_net(
    database: Database, database_url: str, tenant: TenantForTests, relay: ScriptedRelay
) -> None:
    """The reply to the mail is lost: one repeat, under the same Message-ID."""
    relay.says["."] = HANG_UP
    failed = await fails_then_gets_it(database, database_url, tenant, relay)
    assert (failed.last_error, failed.doubts) == ("reply_lost", 1)
    assert len(relay.mails) == 2


async def test_fault_smtp_relay_disk(
    database: Database, database_url: str, tenant: TenantForTests, relay: ScriptedRelay
) -> None:
    relay.says["."] = b"452 insufficient storage\r\n"
    failed = await fails_then_gets_it(database, database_url, tenant, relay)
    assert (failed.last_code, failed.doubts) == (452, 0)


async def test_fault_smtp_relay_slow(
    database: Database, database_url: str, tenant: TenantForTests, relay: ScriptedRelay
) -> None:
    """Ten times slower than a slow relay is still no failure."""
    async with Proxy("127.0.0.1", relay.port) as line:
        line.latency = 0.05
        job = await an_ended_job(database, tenant, delivery=ADA)
        async with a_notifier(database_url, **through(line.port)):
            await until(partial(has_state, database, job, "delivered"))
        line.fault(Flow.PASS)
    assert (await delivery_of(database, job)).attempt == 1


@pytest.mark.parametrize(
    ("verb", "reply", "state", "doubts"),
    [
        ("RCPT", b"550 no such mailbox\r\n", "refused", 0),
        ("RCPT", b"250-\r\n\xff\xfe\r\n250 x\r\n", "due", 0),
        ("", b"220-" + b"x" * 9000 + b"\r\n" * 50, "due", 0),
        (".", b"hello\r\nthere\r\n\xff\r\n", "due", 1),
        (".", b"250-" + b"y" * 40_000 + b"\r\n", "due", 1),
    ],
)
async def test_fault_smtp_relay_garb(
    database: Database,
    database_url: str,
    tenant: TenantForTests,
    relay: ScriptedRelay,
    verb: str,
    reply: bytes,
    state: str,
    doubts: int,
) -> None:
    """A 5xx is for good; junk is tried again, in doubt if it answered the mail."""
    relay.says[verb] = reply
    job = await an_ended_job(database, tenant, delivery=ADA)
    async with a_notifier(database_url, **through(relay.port)):
        await until(partial(attempt_ended, database))
    delivery = await delivery_of(database, job)
    assert (delivery.state, delivery.doubts) == (state, doubts)


@pytest.mark.parametrize("ended_by", [signal.SIGKILL, signal.SIGTERM])
async def test_a_notifier_that_ends_after_the_mail_leaves_doubt_behind(
    database: Database,
    database_url: str,
    tenant: TenantForTests,
    relay: ScriptedRelay,
    ended_by: signal.Signals,
) -> None:
    """However often that happens, the relay gets the mail three times at most."""
    relay.says["."] = None
    job = await an_ended_job(database, tenant, delivery=ADA)
    for number in range(1, 4):
        async with a_notifier(database_url, **through(relay.port)) as notifier:
            await until(partial(has_got, relay, number))
            notifier.signal(ended_by)
            await notifier.ended()
        await make_due(database)
    relay.says.clear()
    async with a_notifier(database_url, **through(relay.port)):
        await until(partial(has_state, database, job, "exhausted"))
    assert len(relay.mails) == 3
    assert len(set(message_ids(relay))) == 1
    assert (await delivery_of(database, job)).last_error == "reply_lost"


async def test_one_that_wakes_before_the_mail_does_not_send_it(
    database: Database, database_url: str, tenant: TenantForTests, relay: ScriptedRelay
) -> None:
    """Frozen while it speaks to the relay; another sent the mail meanwhile."""
    async with Proxy("127.0.0.1", relay.port) as line:
        line.answers = Flow.HOLD
        job = await an_ended_job(database, tenant, delivery=ADA)
        async with a_notifier(database_url, **through(line.port)) as frozen:
            await until(partial(has_state, database, job, "sending"))
            frozen.signal(signal.SIGSTOP)
            async with a_notifier(database_url, **through(relay.port)):
                await until(partial(has_state, database, job, "delivered"))
            line.heal()
            frozen.signal(signal.SIGCONT)
            await frozen.line("delivery.lost")
    assert len(relay.mails) == 1
    assert (await delivery_of(database, job)).attempt == 1
