"""Days of failures, on a database whose clock the tests move: F11."""

from datetime import datetime, timedelta
from itertools import pairwise
from typing import Any

import pytest

from notifier.schedule import WAITS
from plumbing.database import Database
from tests.builders import a_tenant, rows
from tests.database_clock import DatabaseClock
from tests.integration.notifier import receivers
from tests.integration.notifier.conftest import MakeLoop
from tests.integration.notifier.endings import (
    an_ended_job,
    an_endpoint,
    attempts_of,
    send_due,
)
from tests.integration.notifier.receivers import Receiver

A_LITTLE = timedelta(seconds=1)
HOUR = timedelta(hours=1)
DAY = timedelta(days=1)
FOR_EVER = timedelta(days=365)


async def next_due(database: Database) -> datetime | None:
    (row,) = await rows(
        database, "SELECT min(next_at) AS at FROM delivery WHERE state = 'due'"
    )
    at: datetime | None = row.at
    return at


async def endpoint_row(database: Database) -> Any:
    (found,) = await rows(database, "SELECT * FROM webhook_endpoint")
    return found


@pytest.mark.parametrize("down", [3 * HOUR, 3 * DAY, FOR_EVER])
async def test_a_receiver_that_was_down_gets_it_at_the_right_step(
    clock: DatabaseClock,
    database: Database,
    make_loop: MakeLoop,
    receiver: Receiver,
    down: timedelta,
) -> None:
    """Ten deliveries to lanes of their own, so that each goes by its schedule alone."""
    tenant = await a_tenant(database)
    for number in range(10):
        named = {"webhook_url": receiver.url, "webhook_lane": f"host:{number}"}
        await an_ended_job(database, tenant, delivery=named)
    loop = make_loop(clock=clock)
    while (at := await next_due(database)) is not None:
        if at > clock.now():
            clock.move_to(at - timedelta(milliseconds=1))
            assert await send_due(loop) == 0, "a try came before its time"
        clock.move_to(at)
        is_up = clock.elapsed >= down
        receiver.behaviour = receivers.answer(200 if is_up else 503)
        assert await send_due(loop) > 0
    for delivery in await rows(database, "SELECT * FROM delivery"):
        await check_steps(database, delivery, down=down)


async def check_steps(database: Database, delivery: Any, *, down: timedelta) -> None:
    """Each wait is its step's, and the first try after the return is the last."""
    attempts = await attempts_of(database, delivery.id)
    tries = [each.finished_at for each in attempts]
    waits = [later - earlier for earlier, later in pairwise(tries)]
    for wait, base in zip(waits, WAITS, strict=False):
        assert 0.8 * base <= wait <= 1.2 * base
    healed = [each - tries[0] >= down for each in tries]
    if any(healed):
        assert delivery.state == "delivered"
        assert healed.index(True) == len(healed) - 1
    else:
        assert (delivery.state, len(tries)) == ("exhausted", 10)
        whole = sum(WAITS, timedelta())
        assert 0.8 * whole <= tries[-1] - tries[0] <= 1.2 * whole


async def test_five_days_of_only_failures_disable_an_endpoint_and_not_sooner(
    clock: DatabaseClock, database: Database, make_loop: MakeLoop, receiver: Receiver
) -> None:
    tenant = await a_tenant(database)
    await an_endpoint(database, tenant, receiver.url)
    receiver.behaviour = receivers.answer(500)
    loop = make_loop(clock=clock)
    disabled_after = None
    while clock.elapsed < 6 * DAY:
        await an_ended_job(database, tenant)
        await send_due(loop)
        state = (await endpoint_row(database)).state
        assert (state == "disabled") == (clock.elapsed >= 5 * DAY)
        if state == "disabled":
            disabled_after = disabled_after or clock.elapsed
        clock.move_on(8 * HOUR)
    assert disabled_after == 5 * DAY
    assert await next_due(database) is None, "nothing waits for it any more"
    assert (await endpoint_row(database)).disabled_reason == "only_failures"


async def test_a_success_among_the_failures_begins_the_five_days_anew(
    clock: DatabaseClock, database: Database, make_loop: MakeLoop, receiver: Receiver
) -> None:
    tenant = await a_tenant(database)
    await an_endpoint(database, tenant, receiver.url)
    loop = make_loop(clock=clock)

    async def one_more(status: int) -> str:
        receiver.behaviour = receivers.answer(status)
        await rows(database, "DELETE FROM delivery_attempt RETURNING number")
        await rows(database, "DELETE FROM delivery RETURNING id")
        await an_ended_job(database, tenant)
        assert await send_due(loop) == 1
        state: str = (await endpoint_row(database)).state
        return state

    await one_more(500)
    clock.move_on(4 * DAY)
    await one_more(200)
    assert (await endpoint_row(database)).failing_since is None
    clock.move_on(2 * DAY)
    assert await one_more(500) == "enabled", "six days after the first failure"
    clock.move_on(5 * DAY - A_LITTLE)
    assert await one_more(500) == "enabled"
    clock.move_on(A_LITTLE)
    assert await one_more(500) == "disabled"


async def test_a_fault_of_ours_counts_towards_no_endpoints_end(
    clock: DatabaseClock, database: Database, make_loop: MakeLoop, receiver: Receiver
) -> None:
    tenant = await a_tenant(database)
    await an_endpoint(database, tenant, receiver.url)
    await rows(database, "UPDATE webhook_endpoint SET secret = 'junk' RETURNING id")
    loop = make_loop(clock=clock)
    for _ in range(3):
        await an_ended_job(database, tenant)
        await send_due(loop)
        clock.move_on(3 * DAY)
    codes = await rows(database, "SELECT DISTINCT error FROM delivery_attempt")
    assert [row.error for row in codes] == ["internal_error"]
    stored = await endpoint_row(database)
    assert (stored.state, stored.failing_since) == ("enabled", None)
