"""Receivers that break or mean ill: a failed attempt each, and nothing for the others."""

import asyncio
import gzip
import statistics
import time
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from functools import partial
from typing import Any, Final

import pytest

from plumbing.database import Database
from tests.builders import TenantForTests, a_tenant, rows
from tests.faults.notifier.conftest import SHORT
from tests.faults.proxy import Flow, Proxy
from tests.integration.notifier import receivers
from tests.integration.notifier.endings import (
    an_ended_job,
    attempt_ended,
    attempts_of,
    delivery_of,
    has_state,
    make_due,
    to_url,
)
from tests.integration.notifier.notifier_process import Notifier, a_notifier
from tests.integration.notifier.receivers import Behaviour, Receiver
from tests.waiting import until

MEGABYTE: Final = 1024 * 1024
MAX_GROWTH: Final = MEGABYTE
MAX_LAG: Final = 5.0
A_BOMB: Final = gzip.compress(b"0" * 50 * MEGABYTE)

HOSTILE: Final[dict[str, Behaviour]] = {
    "hangs": receivers.hang,
    "drips": receivers.drip,
    "never ends": receivers.never_end,
    "floods with 1xx": receivers.flood,
    "floods with headers": receivers.flood_head,
    "talks junk": receivers.talk_junk,
    "hangs up": receivers.hang_up,
    "redirects": receivers.answer(302, headers="Location: http://127.0.0.1:1/\r\n"),
    "sends a bomb": receivers.answer(
        200, headers="Content-Encoding: gzip\r\n", body=A_BOMB
    ),
}
# A 2xx whose head was read is a success, however much body follows it.
TAKEN_AS_SUCCESS: Final = {"never ends"}


async def fails_then_gets_it(
    database: Database, database_url: str, tenant: TenantForTests, receiver: Receiver
) -> Any:
    """One try that fails; then the receiver is well. The failed attempt is returned."""
    job = await an_ended_job(database, tenant, delivery=to_url(receiver.url))
    async with a_notifier(database_url, **SHORT):
        await until(partial(attempt_ended, database))
        failed = await delivery_of(database, job)
        assert (failed.state, failed.attempt) == ("due", 1)
        receiver.behaviour = receivers.answer()
        await make_due(database)
        await until(partial(has_state, database, job, "delivered"))
    first, second = await attempts_of(database, failed.id)
    assert (second.number, second.code, second.error) == (2, 200, None)
    assert len({each.headers["webhook-id"] for each in receiver.received}) == 1
    return first


async def test_fault_customer_endpoint_k9(
    database: Database, database_url: str, tenant: TenantForTests, receiver: Receiver
) -> None:
    receiver.behaviour = receivers.hang_up
    attempt = await fails_then_gets_it(database, database_url, tenant, receiver)
    assert attempt.code is None


async def test_fault_customer_endpoint_term(
    database: Database, database_url: str, tenant: TenantForTests, receiver: Receiver
) -> None:
    receiver.behaviour = receivers.answer(503)
    attempt = await fails_then_gets_it(database, database_url, tenant, receiver)
    assert (attempt.code, attempt.error) == (503, "status")


async def test_fault_customer_endpoint_stop(
    database: Database, database_url: str, tenant: TenantForTests, receiver: Receiver
) -> None:
    """It takes the request and says nothing: cut at the limit."""
    receiver.behaviour = receivers.hang
    attempt = await fails_then_gets_it(database, database_url, tenant, receiver)
    assert attempt.error == "timeout"
    assert (attempt.finished_at - attempt.started_at).total_seconds() < 2


async def test_fault_customer_endpoint_rst(
    database: Database, database_url: str, tenant: TenantForTests, receiver: Receiver
) -> None:
    """Away and back again: it knows repeats by their id.

    Four failures, since at the fifth its lane would rest for a minute.
    """
    job = await an_ended_job(database, tenant, delivery=to_url(receiver.url))
    port = receiver.port
    async with a_notifier(database_url, **SHORT):
        receiver.behaviour = receivers.hang_up
        for number in range(1, 3):
            await until(partial(attempt_ended, database, count=2 * number - 1))
            await receiver.go_away()
            await make_due(database)
            await until(partial(attempt_ended, database, count=2 * number))
            await receiver.listen(port)
            receiver.behaviour = (
                receivers.hang_up if number < 2 else receivers.answer(200)
            )
            await make_due(database)
        await until(partial(has_state, database, job, "delivered"))
    delivery = await delivery_of(database, job)
    assert delivery.attempt == 5
    assert len({each.headers["webhook-id"] for each in receiver.received}) == 1
    assert len({each.body for each in receiver.received}) == 1


async def test_fault_customer_endpoint_net(
    database: Database, database_url: str, tenant: TenantForTests, receiver: Receiver
) -> None:
    """The answer is lost on its way: the receiver has it, we cannot know, it repeats."""
    async with Proxy("127.0.0.1", receiver.port) as line:
        line.answers = Flow.LOSE
        url = f"http://127.0.0.1:{line.port}/hook"
        job = await an_ended_job(database, tenant, delivery=to_url(url))
        async with a_notifier(database_url, **SHORT):
            await until(partial(attempt_ended, database))
            line.heal()
            await make_due(database)
            await until(partial(has_state, database, job, "delivered"))
    assert len(receiver.received) == 2
    first, second = receiver.received
    assert first.headers["webhook-id"] == second.headers["webhook-id"]
    assert first.body == second.body


async def drip_a_byte_a_second(writer: asyncio.StreamWriter) -> None:
    writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 1000000\r\n\r\n")
    while True:
        writer.write(b"x")
        await writer.drain()
        await asyncio.sleep(1)


async def test_fault_customer_endpoint_slow(
    database: Database, database_url: str, tenant: TenantForTests, receiver: Receiver
) -> None:
    """A byte a second never runs into a limit on silence: 15 seconds are the whole."""
    receiver.behaviour = drip_a_byte_a_second
    job = await an_ended_job(database, tenant, delivery=to_url(receiver.url))
    async with a_notifier(database_url):
        await until(partial(attempt_ended, database), seconds=25)
    delivery = await delivery_of(database, job)
    (attempt,) = await attempts_of(database, delivery.id)
    assert (delivery.state, attempt.error) == ("due", "timeout")
    assert 14 < (attempt.finished_at - attempt.started_at).total_seconds() < 16


@asynccontextmanager
async def hostile_receivers(count: int) -> AsyncIterator[list[Receiver]]:
    kinds = list(HOSTILE.values())
    async with AsyncExitStack() as stack:
        yield [
            await stack.enter_async_context(
                Receiver(behaviour=kinds[number % len(kinds)])
            )
            for number in range(count)
        ]


@pytest.mark.parametrize("kind", HOSTILE)
async def test_a_hostile_answer_is_one_failed_attempt(
    database: Database,
    database_url: str,
    tenant: TenantForTests,
    receiver: Receiver,
    kind: str,
) -> None:
    receiver.behaviour = HOSTILE[kind]
    job = await an_ended_job(database, tenant, delivery=to_url(receiver.url))
    async with a_notifier(database_url, **SHORT):
        await until(partial(attempt_ended, database))
    delivery = await delivery_of(database, job)
    expected = "delivered" if kind in TAKEN_AS_SUCCESS else "due"
    assert (delivery.state, delivery.attempt) == (expected, 1)
    assert len(receiver.received) == 1


async def test_fault_customer_endpoint_garb(
    database: Database, database_url: str, tenant: TenantForTests, receiver: Receiver
) -> None:
    """Measured is the process's own memory, after honest work as wide."""
    async with (
        a_notifier(database_url, **SHORT) as notifier,
        hostile_receivers(len(HOSTILE)) as bad,
    ):
        receiver.behaviour = receivers.answer_after(0.2)
        for _ in range(3):
            await tell(database, tenant, [receiver.url] * len(bad), each=5)
            await until(partial(is_quiet, database))
        before = notifier.memory()
        await tell(database, tenant, [each.url for each in bad], each=5)
        highest = await highest_memory(notifier, until_quiet=database)
    growth = highest - before
    assert growth <= MAX_GROWTH, f"{growth} bytes"


async def tell(
    database: Database, tenant: TenantForTests, urls: list[str], *, each: int
) -> None:
    for number, url in enumerate(urls * each):
        lane = f"host:{number % len(urls)}"
        named = {"webhook_url": url, "webhook_lane": lane}
        await an_ended_job(database, tenant, delivery=named)


async def is_quiet(database: Database) -> bool:
    """Nothing is being sent, and nothing is about to be."""
    return not await rows(
        database,
        "SELECT 1 FROM delivery WHERE state = 'sending'"
        " OR state = 'due' AND attempt = 0",
    )


async def highest_memory(notifier: Notifier, *, until_quiet: Database) -> int:
    highest = notifier.memory()

    async def is_over() -> bool:
        nonlocal highest
        highest = max(highest, notifier.memory())
        return await is_quiet(until_quiet)

    await until(is_over)
    return highest


async def test_fault_notifier_slow_receivers_leave_the_others_alone(
    database: Database, database_url: str, tenant: TenantForTests, receiver: Receiver
) -> None:
    """First attempts of another tenant, while each of the twenty has 50 waiting."""
    honest = await a_tenant(database)
    async with hostile_receivers(20) as bad, a_notifier(database_url) as notifier:
        await tell(database, tenant, [each.url for each in bad], each=50)
        await notifier.line("delivery.attempted")
        lags = await first_attempt_lags(database, honest, receiver, count=40)
    assert max(lags) <= MAX_LAG, sorted(lags)[-5:]
    assert statistics.median(lags) <= 1


async def first_attempt_lags(
    database: Database, tenant: TenantForTests, receiver: Receiver, *, count: int
) -> list[float]:
    """Seconds from an ending to its arrival, one ending after the other."""
    lags = []
    for number in range(1, count + 1):
        began = time.monotonic()
        await an_ended_job(database, tenant, delivery=to_url(receiver.url))
        await until(partial(has_received, receiver, number))
        lags.append(time.monotonic() - began)
    return lags


async def has_received(receiver: Receiver, count: int) -> bool:
    return len(receiver.received) >= count
