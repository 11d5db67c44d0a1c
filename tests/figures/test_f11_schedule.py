"""F11: receivers that are down for three hours, for three days and for ever.

Days pass on a database whose clock the test moves; the statements are those that run
in production. Each delivery has a lane of its own, so that it goes by its schedule.
"""

import asyncio
from datetime import timedelta
from email import message_from_bytes
from itertools import pairwise
from typing import Any, Final

import pytest

from notifier.notice_loop import NoticeLoop
from notifier.schedule import WAITS
from notifier.sending_loop import SendingLoop
from plumbing.database import Database
from tests.builders import TenantForTests, a_tenant, rows
from tests.database_clock import DatabaseClock
from tests.figures.record import record
from tests.integration.notifier import receivers
from tests.integration.notifier.conftest import (
    SENDER,
    MakeLoop,
    a_mail_sender,
    clock,
    make_loop,
    relay,
)
from tests.integration.notifier.endings import (
    an_ended_job,
    an_endpoint,
    attempts_of,
    send_due,
)
from tests.integration.notifier.receivers import Receiver
from tests.integration.notifier.relay import ScriptedRelay

__all__ = ["clock", "make_loop", "relay"]

HOUR: Final = timedelta(hours=1)
DAY: Final = timedelta(days=1)
FOR_EVER: Final = timedelta(days=365)
DOWN: Final = {"three hours": 3 * HOUR, "three days": 3 * DAY, "ever": FOR_EVER}
EACH: Final = 10
GIVEN_UP_AT: Final = 10
AS_PUBLISHED: Final = timedelta(hours=75, minutes=35)
"""From the first try to the last, before chance spreads it."""
JUST_BEFORE: Final = timedelta(milliseconds=1)


@pytest.fixture
def notices(database: Database, relay: ScriptedRelay) -> NoticeLoop:
    mails = a_mail_sender(relay.port, limit=2)
    return NoticeLoop(database, mails, sender=SENDER, lease=timedelta(seconds=10))


def down_until(end: timedelta, clock: DatabaseClock) -> receivers.Behaviour:
    async def behave(writer: asyncio.StreamWriter) -> None:
        status = 200 if clock.elapsed >= end else 503
        await receivers.answer(status)(writer)

    return behave


async def run_to_the_end(
    database: Database, clock: DatabaseClock, loop: SendingLoop
) -> None:
    """From one due time to the next; just before each of them nothing may be sent."""
    due = "SELECT min(next_at) AS at FROM delivery WHERE state = 'due'"
    while (at := (await rows(database, due))[0].at) is not None:
        if at > clock.now():
            clock.move_to(at - JUST_BEFORE)
            assert await send_due(loop) == 0, "a try came before its time"
        clock.move_to(at)
        assert await send_due(loop) > 0


def check_steps(delivery: Any, tries: list[Any], *, down: timedelta) -> None:
    """Each wait is its step's, and the first try after the return is the last."""
    times = [each.finished_at for each in tries]
    for (earlier, later), base in zip(pairwise(times), WAITS, strict=False):
        assert 0.8 * base <= later - earlier <= 1.2 * base
    are_healed = [each - times[0] >= down for each in times]
    if any(are_healed):
        assert delivery.state == "delivered"
        assert are_healed.index(True) == len(are_healed) - 1
    else:
        assert (delivery.state, len(tries)) == ("exhausted", GIVEN_UP_AT)


async def disabled_after(
    database: Database, clock: DatabaseClock, loop: SendingLoop
) -> timedelta:
    """An endpoint that only fails, told of an ending every eight hours."""
    tenant = await a_tenant(database)
    async with Receiver(behaviour=receivers.answer(500)) as failing:
        await an_endpoint(database, tenant, failing.url)
        began = clock.elapsed
        while True:
            await an_ended_job(database, tenant)
            await send_due(loop)
            (endpoint,) = await rows(database, "SELECT * FROM webhook_endpoint")
            if endpoint.state == "disabled":
                assert endpoint.disabled_reason == "only_failures"
                return clock.elapsed - began
            clock.move_on(8 * HOUR)


async def tell_owners(notices: NoticeLoop, relay: ScriptedRelay) -> int:
    """Send what is due to owners; how many mails that made."""
    before = len(relay.mails)
    while await notices.run_once():
        pass
    for mail in relay.mails[before:]:
        assert message_from_bytes(mail)["To"] == "owner@example.com"
    return len(relay.mails) - before


async def tries_while_down(
    database: Database,
    clock: DatabaseClock,
    loop: SendingLoop,
    *,
    tenant: TenantForTests,
    down: timedelta,
) -> int:
    """Tell ten endings to a receiver that is down so long; the most tries of any."""
    behaviour = down_until(clock.elapsed + down, clock)
    async with Receiver(behaviour=behaviour) as receiver:
        for number in range(EACH):
            lane = f"host:{receiver.port}-{number}"
            named = {"webhook_url": receiver.url, "webhook_lane": lane}
            await an_ended_job(database, tenant, delivery=named)
        await run_to_the_end(database, clock, loop)
        told = await rows(
            database, "SELECT * FROM delivery WHERE receiver = :url", url=receiver.url
        )
    assert len(told) == EACH
    tries = [await attempts_of(database, delivery.id) for delivery in told]
    for delivery, its_tries in zip(told, tries, strict=True):
        check_steps(delivery, its_tries, down=down)
    return max(map(len, tries))


async def test_f11_the_schedule_to_the_tenth_try(
    clock: DatabaseClock,
    database: Database,
    make_loop: MakeLoop,
    relay: ScriptedRelay,
    notices: NoticeLoop,
) -> None:
    tenant, loop = await a_tenant(database), make_loop(clock=clock)
    made = {
        name: await tries_while_down(database, clock, loop, tenant=tenant, down=down)
        for name, down in DOWN.items()
    }
    assert made["ever"] == GIVEN_UP_AT
    assert sum(WAITS, timedelta()) - AS_PUBLISHED < timedelta(minutes=1)
    clock.move_on(DAY)
    assert await tell_owners(notices, relay) == 1, "one mail tells of all ten"
    ended = await disabled_after(database, clock, loop)
    assert ended == 5 * DAY
    clock.move_on(DAY)
    assert await tell_owners(notices, relay) == 1
    record(
        figure="F11",
        what="the schedule of a webhook whose receiver is down, on a clock that the "
        "test moves",
        size=f"{len(DOWN)} x {EACH} deliveries",
        result={f"tries at most, down for {name}": made[name] for name in DOWN}
        | {
            "tries before their time": 0,
            "days of only failures until disabled": ended / DAY,
            "mails to owners": len(relay.mails),
        },
        goal="delivered at the right step +-20 %, exhausted at the tenth try, disabled "
        "at 5 days, none early",
        command="make test-faults",
    )
