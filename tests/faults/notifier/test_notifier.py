"""The notifier killed, frozen, restarted, cut off: every ending is told all the same."""

import asyncio
import signal
import time
from functools import partial

from plumbing.database import Database
from tests.builders import TenantForTests, rows
from tests.faults.notifier.conftest import SHORT
from tests.faults.proxy import Flow, Proxy
from tests.integration.notifier import receivers
from tests.integration.notifier.endings import (
    an_ended_job,
    attempts_of,
    delivery_of,
    has_state,
    make_due,
    to_url,
)
from tests.integration.notifier.notifier_process import a_notifier
from tests.integration.notifier.receivers import Receiver
from tests.waiting import until

KILLS = 5
STOP_LIMIT = 15


async def all_have(database: Database, state: str, *, count: int) -> bool:
    found = await rows(
        database, "SELECT 1 FROM delivery WHERE state = :state", state=state
    )
    return len(found) == count


async def has_received(receiver: Receiver, count: int) -> bool:
    return len(receiver.received) >= count


async def test_fault_notifier_k9(
    database: Database, database_url: str, tenant: TenantForTests, receiver: Receiver
) -> None:
    """Killed again and again in the middle of a send, it stays at its first try."""
    receiver.behaviour = receivers.hang
    job = await an_ended_job(database, tenant, delivery=to_url(receiver.url))
    for kill in range(1, KILLS + 1):
        async with a_notifier(database_url, **SHORT) as notifier:
            await until(partial(has_received, receiver, kill), what="a send begins")
            await notifier.kill()
        held = await delivery_of(database, job)
        assert (held.state, held.attempt) == ("sending", 0)
    receiver.behaviour = receivers.answer()
    async with a_notifier(database_url, **SHORT):
        await until(partial(has_state, database, job, "delivered"))
    delivery = await delivery_of(database, job)
    assert delivery.attempt == 1
    assert len(await attempts_of(database, delivery.id)) == 1
    assert len(receiver.received) == KILLS + 1
    told = {(each.headers["webhook-id"], each.body) for each in receiver.received}
    assert len(told) == 1


async def test_fault_notifier_term(
    database: Database, database_url: str, tenant: TenantForTests, receiver: Receiver
) -> None:
    """Current sends may end, nothing new begins, what hangs is over in 15 seconds."""
    may_answer = asyncio.Event()

    async def answer_when_told(writer: asyncio.StreamWriter) -> None:
        await may_answer.wait()
        await receivers.answer()(writer)

    receiver.behaviour = answer_when_told
    async with Receiver(behaviour=receivers.hang) as hanging:
        ends = await an_ended_job(database, tenant, delivery=to_url(receiver.url))
        hangs = await an_ended_job(database, tenant, delivery=to_url(hanging.url))
        async with a_notifier(database_url) as notifier:
            await until(partial(has_received, receiver, 1))
            await until(partial(has_received, hanging, 1))
            notifier.signal(signal.SIGTERM)
            began = time.monotonic()
            await notifier.line("process.stopping")
            late = await an_ended_job(database, tenant, delivery=to_url(receiver.url))
            may_answer.set()
            assert await notifier.ended() == 0
            assert time.monotonic() - began < STOP_LIMIT + 2
    assert (await delivery_of(database, ends)).state == "delivered"
    assert (await delivery_of(database, hangs)).state == "due"
    untouched = await delivery_of(database, late)
    assert (untouched.state, untouched.attempt) == ("due", 0)


async def test_fault_notifier_stop(
    database: Database, database_url: str, tenant: TenantForTests, receiver: Receiver
) -> None:
    """One that wakes after its lease knows an outcome and may not write it."""
    may_answer = asyncio.Event()

    async def refuse_when_told(writer: asyncio.StreamWriter) -> None:
        await may_answer.wait()
        await receivers.answer(410)(writer)

    receiver.behaviour = refuse_when_told
    job = await an_ended_job(database, tenant, delivery=to_url(receiver.url))
    async with a_notifier(database_url, **SHORT) as frozen:
        await until(partial(has_received, receiver, 1))
        frozen.signal(signal.SIGSTOP)
        receiver.behaviour = receivers.answer()
        async with a_notifier(database_url, **SHORT):
            await until(partial(has_state, database, job, "delivered"))
        before = await delivery_of(database, job)
        may_answer.set()
        frozen.signal(signal.SIGCONT)
        await frozen.line("delivery.lost")
    assert await delivery_of(database, job) == before
    assert len(await attempts_of(database, before.id)) == before.attempt == 1


async def test_fault_notifier_rst(
    database: Database, database_url: str, tenant: TenantForTests, receiver: Receiver
) -> None:
    """Restarted all the while, by kill and by term: 0 lost, one try each."""
    receiver.behaviour = receivers.answer_after(0.2)
    jobs = [
        await an_ended_job(database, tenant, delivery=to_url(receiver.url))
        for _ in range(60)
    ]
    for ended_by in (signal.SIGKILL, signal.SIGTERM) * 3:
        so_far = len(receiver.received)
        async with a_notifier(database_url, **SHORT) as notifier:
            await until(partial(has_received, receiver, so_far + 1))
            notifier.signal(ended_by)
            await notifier.ended()
    async with a_notifier(database_url, **SHORT):
        await until(partial(all_have, database, "delivered", count=len(jobs)))
    tries = await rows(database, "SELECT attempt FROM delivery")
    assert {each.attempt for each in tries} == {1}
    told = {each.headers["webhook-id"] for each in receiver.received}
    assert len(told) == len(jobs)


async def test_fault_notifier_net(
    database: Database, database_url: str, tenant: TenantForTests, receiver: Receiver
) -> None:
    """Cut off from receivers, then from Postgres: later, and nothing given up."""
    async with (
        Proxy("127.0.0.1", receiver.port) as outside,
        Proxy.before(database_url) as inside,
    ):
        url = f"http://127.0.0.1:{outside.port}/hook"
        jobs = [await an_ended_job(database, tenant, delivery=to_url(url))]
        await outside.refuse()
        async with a_notifier(inside.url(database_url), **SHORT) as notifier:
            await notifier.line("delivery.attempted")
            cut = await delivery_of(database, jobs[0])
            assert (cut.state, cut.last_error) == ("due", "connect_failed")
            await outside.accept()
            inside.fault(Flow.HOLD)
            jobs.append(await an_ended_job(database, tenant, delivery=to_url(url)))
            await notifier.line("loop.outage")
            inside.heal()
            await inside.reset()
            await make_due(database)
            await until(partial(all_have, database, "delivered", count=2))
    tries = await rows(database, "SELECT attempt FROM delivery ORDER BY created_at")
    assert [each.attempt for each in tries] == [2, 1]


async def test_fault_notifier_disk(
    database: Database, database_url: str, tenant: TenantForTests, receiver: Receiver
) -> None:
    """No room for its log is no reason to fall silent: all state is in Postgres."""
    job = await an_ended_job(database, tenant, delivery=to_url(receiver.url))
    async with a_notifier(database_url, stderr="/dev/full", **SHORT) as notifier:
        await until(partial(has_state, database, job, "delivered"))
        notifier.signal(signal.SIGTERM)
        # 120 is Python's own word for a stderr that it could not flush.
        assert await notifier.ended() in {0, 120}
