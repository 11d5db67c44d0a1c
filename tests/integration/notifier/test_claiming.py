"""Lanes, leases and fences: who gets which delivery, and who no longer has it."""

import asyncio
import time
from datetime import timedelta
from functools import partial
from typing import Any

import pytest
from sqlalchemy import text

from notifier.claim_store import (
    CLAIM_SQL,
    LANE_LIMIT,
    ClaimedDelivery,
    Restraint,
    claim_deliveries,
    freeze_body,
    sweep_lapsed,
)
from notifier.outcome_store import (
    GATHER,
    GIVE_UP_AFTER,
    RECORD_FAILURE_SQL,
    note_doubt,
    record_attempt,
)
from notifier.outcomes import Outcome, Verdict
from notifier.schedule import next_step
from plumbing.database import Database
from tests.builders import TenantForTests, a_tenant, rows
from tests.integration.notifier import receivers
from tests.integration.notifier.conftest import MakeLoop
from tests.integration.notifier.endings import (
    an_ended_job,
    delivery_of,
    eventually,
    send_due,
    to_url,
)
from tests.integration.notifier.receivers import Receiver

LEASE = timedelta(seconds=30)
ACCEPTED = Outcome(verdict=Verdict.ACCEPTED, code=200)


async def claim(
    database: Database,
    *,
    count: int = 100,
    lease: timedelta = LEASE,
    restraint: Restraint | None = None,
) -> list[ClaimedDelivery]:
    async with database.statement() as tx:
        return await claim_deliveries(
            tx,
            count=count,
            webhook_lease=lease,
            mail_lease=lease,
            restraint=restraint or Restraint(),
        )


async def deliveries(
    database: Database, tenant: TenantForTests, *, lane: str, count: int, **columns: Any
) -> None:
    """Deliveries of jobs that ended, without the jobs' history."""
    job = await an_ended_job(database, tenant, delivery={"email": []})
    values = {"age": timedelta(0), "state": "due"} | columns
    await rows(
        database,
        "INSERT INTO delivery (event_id, job_id, tenant_id, kind, receiver, lane, state,"
        " lease_until, next_at)"
        " SELECT e.id, e.job_id, e.tenant_id, 'webhook', :lane || n, :lane, :state,"
        "   CASE WHEN :state = 'sending' THEN statement_timestamp() + interval '1 hour' END,"
        "   statement_timestamp() - CAST(:age AS interval)"
        " FROM event e, generate_series(1, :count) n WHERE e.job_id = :job RETURNING id",
        lane=lane,
        count=count,
        job=job,
        **values,
    )


async def test_a_lane_holds_a_few_deliveries_at_once(database: Database) -> None:
    tenant = await a_tenant(database)
    await deliveries(database, tenant, lane="host:dead", count=50)
    await deliveries(database, tenant, lane="host:live", count=2)
    first = [delivery.lane for delivery in await claim(database)]
    assert sorted(first) == ["host:dead"] * LANE_LIMIT + ["host:live"] * 2
    assert await claim(database) == []


async def test_what_is_being_sent_counts_against_its_lane(database: Database) -> None:
    tenant = await a_tenant(database)
    await deliveries(database, tenant, lane="host:a", count=3, state="sending")
    await deliveries(database, tenant, lane="host:a", count=9)
    assert len(await claim(database)) == LANE_LIMIT - 3


async def test_a_resting_lane_is_left_alone_and_a_rested_one_tried(
    database: Database,
) -> None:
    tenant = await a_tenant(database)
    for lane in ("host:a", "host:b", "host:c"):
        await deliveries(database, tenant, lane=lane, count=9)
    restraint = Restraint(resting=["host:a"], trying=["host:b"])
    lanes = [delivery.lane for delivery in await claim(database, restraint=restraint)]
    assert sorted(lanes) == ["host:b"] + ["host:c"] * LANE_LIMIT


async def test_a_crowded_tenant_waits(database: Database) -> None:
    greedy, modest = await a_tenant(database), await a_tenant(database)
    await deliveries(database, greedy, lane="host:a", count=9)
    await deliveries(database, modest, lane="host:b", count=1)
    claimed = await claim(database, restraint=Restraint(crowded=[greedy.id]))
    assert [delivery.tenant_id for delivery in claimed] == [modest.id]


async def test_one_claim_gives_no_tenant_more_than_its_share(
    database: Database,
) -> None:
    greedy, modest = await a_tenant(database), await a_tenant(database)
    hour = timedelta(hours=1)
    for number in range(8):
        await deliveries(database, greedy, lane=f"host:{number}", count=5, age=hour)
    await deliveries(database, modest, lane="host:modest", count=1)
    claimed = await claim(database, count=20, restraint=Restraint(share=12))
    holders = [delivery.tenant_id for delivery in claimed]
    assert holders.count(greedy.id) == 12
    assert holders.count(modest.id) == 1


async def test_first_attempts_come_before_retries(database: Database) -> None:
    tenant = await a_tenant(database)
    hour = timedelta(hours=1)
    await deliveries(database, tenant, lane="host:retried", count=1, age=hour)
    await rows(database, "UPDATE delivery SET attempt = 3 RETURNING id")
    await deliveries(database, tenant, lane="host:new", count=1)
    (claimed,) = await claim(database, count=1)
    assert claimed.lane == "host:new"


async def test_two_notifiers_never_hold_the_same_delivery(database: Database) -> None:
    tenant = await a_tenant(database)
    for number in range(20):
        await deliveries(database, tenant, lane=f"host:{number}", count=5)
    claims = await asyncio.gather(*(claim(database, count=30) for _ in range(6)))
    claimed = [delivery.id for each in claims for delivery in each]
    assert len(claimed) == len(set(claimed))
    assert len(claimed) >= 60


async def test_a_lapsed_lease_repeats_the_step(database: Database) -> None:
    tenant = await a_tenant(database)
    job = await an_ended_job(database, tenant, delivery=to_url("https://a.example/"))
    for _ in range(12):
        (held,) = await claim(database, lease=timedelta(0))
        assert held.attempt == 1
        async with database.statement() as tx:
            assert await sweep_lapsed(tx) == 1
    delivery = await delivery_of(database, job)
    assert (delivery.state, delivery.attempt) == ("due", 0)


async def test_a_lease_that_holds_is_not_swept(database: Database) -> None:
    tenant = await a_tenant(database)
    await an_ended_job(database, tenant, delivery=to_url("https://a.example/"))
    await claim(database)
    async with database.statement() as tx:
        assert await sweep_lapsed(tx) == 0


async def test_who_lost_the_lease_cannot_write_an_outcome(database: Database) -> None:
    tenant = await a_tenant(database)
    job = await an_ended_job(database, tenant, delivery=to_url("https://a.example/"))
    (stale,) = await claim(database, lease=timedelta(0))
    async with database.statement() as tx:
        await sweep_lapsed(tx)
    (fresh,) = await claim(database)
    assert not await record(database, stale)
    assert (await delivery_of(database, job)).state == "sending"
    assert await record(database, fresh)
    assert not await record(database, fresh), "an outcome is written once"
    assert (await delivery_of(database, job)).state == "delivered"


async def record(database: Database, delivery: ClaimedDelivery) -> bool:
    async with database.statement() as tx:
        recorded = await record_attempt(
            tx,
            delivery,
            ACCEPTED,
            step=next_step(1, ACCEPTED),
            took=timedelta(seconds=1),
        )
    return recorded.is_ours


async def test_the_first_body_of_an_event_stays(database: Database) -> None:
    tenant = await a_tenant(database)
    await an_ended_job(database, tenant, delivery=to_url("https://a.example/"))
    (held,) = await claim(database)
    async with database.statement() as tx:
        assert await freeze_body(tx, held.event_id, body=b"first") == b"first"
        assert await freeze_body(tx, held.event_id, body=b"second") == b"first"


async def test_a_doubt_that_is_said_twice_is_one(database: Database) -> None:
    """An answer that was lost has it said again, before a mail that was not yet sent."""
    tenant = await a_tenant(database)
    await an_ended_job(database, tenant, delivery={"email": ["ada@example.org"]})
    (held,) = await claim(database)
    for _ in range(2):
        async with database.statement() as tx:
            assert await note_doubt(tx, held)
    assert await rows(database, "SELECT doubts FROM delivery") == [(1,)]


async def test_the_claim_and_the_record_use_their_indexes(database: Database) -> None:
    tenant = await a_tenant(database)
    await deliveries(database, tenant, lane="host:dead", count=60_000)
    await deliveries(database, tenant, lane="host:sent", count=2_000, state="sending")
    for number in range(20):
        await deliveries(database, tenant, lane=f"host:{number}", count=100)
    plan = await explain(
        database,
        CLAIM_SQL,
        count=100,
        webhook_lease=LEASE,
        mail_lease=LEASE,
        resting=[],
        trying=[],
        crowded=[],
        share=64,
    )
    assert "Index Only Scan using delivery_due" in plan
    assert "Index Scan using delivery_due" in plan
    assert "delivery_sending" in plan
    assert "Seq Scan on delivery" not in plan
    plan = await explain(
        database,
        RECORD_FAILURE_SQL,
        id=tenant.id,
        fence=1,
        state="due",
        doubts=0,
        wait=LEASE,
        code=None,
        error=None,
        took=LEASE,
        gone=False,
        is_our_fault=False,
        give_up=GIVE_UP_AFTER,
        gather=GATHER,
    )
    assert "using delivery_pkey" in plan
    assert "delivery_sending" not in plan
    assert "Seq Scan on delivery" not in plan


async def explain(database: Database, statement: str, **values: Any) -> str:
    async with database.statement() as tx:
        await tx.execute(text("ANALYZE delivery"))
        lines = await tx.execute(text("EXPLAIN " + statement), values)
        return "\n".join(line[0] for line in lines)


@pytest.mark.parametrize("state", ["hang", "dead"])
async def test_a_dead_endpoint_does_not_delay_the_others(
    database: Database, make_loop: MakeLoop, receiver: Receiver, state: str
) -> None:
    """Ten thousand deliveries wait for it; another tenant's leaves at once."""
    unlucky, lucky = await a_tenant(database), await a_tenant(database)
    async with Receiver() as bad:
        bad.behaviour = receivers.hang if state == "hang" else receivers.hang_up
        await deliveries(database, unlucky, lane="host:bad", count=10_000)
        await rows(
            database,
            "UPDATE delivery SET receiver = :url || '?' || id RETURNING id",
            url=bad.url,
        )
        loop, stop = make_loop(limit=1), asyncio.Event()
        running = asyncio.create_task(loop.run(stop))
        await eventually(lambda: len(bad.received) >= LANE_LIMIT)
        lags = []
        for number in range(1, 11):
            began = time.monotonic()
            await an_ended_job(database, lucky, delivery=to_url(receiver.url))
            await eventually(partial(_has_received, receiver, number))
            lags.append(time.monotonic() - began)
        stop.set()
        await running
        assert max(lags) < 2
        assert bad.most_open <= LANE_LIMIT


def _has_received(receiver: Receiver, count: int) -> bool:
    return len(receiver.received) >= count


async def test_a_failing_lane_rests(
    database: Database, make_loop: MakeLoop, receiver: Receiver
) -> None:
    tenant = await a_tenant(database)
    await deliveries(database, tenant, lane="host:bad", count=50)
    await rows(
        database,
        "UPDATE delivery SET receiver = :url || '?' || id RETURNING id",
        url=receiver.url,
    )
    receiver.behaviour = receivers.answer(500)
    loop = make_loop()
    claimed = [await send_due(loop) for _ in range(4)]
    assert claimed == [LANE_LIMIT, 0, 0, 0]


async def test_a_busy_lane_goes_on_as_soon_as_there_is_room(
    database: Database, make_loop: MakeLoop, receiver: Receiver
) -> None:
    tenant = await a_tenant(database)
    await deliveries(database, tenant, lane="host:busy", count=100)
    await rows(
        database,
        "UPDATE delivery SET receiver = :url || '?' || id RETURNING id",
        url=receiver.url,
    )
    receiver.behaviour = receivers.answer_after(0.1)
    loop, stop = make_loop(idle=2), asyncio.Event()
    running = asyncio.create_task(loop.run(stop))
    # Without being woken it would take a pause for each five: 40 seconds.
    await eventually(partial(_has_received, receiver, 100))
    stop.set()
    await running
    assert receiver.most_open <= LANE_LIMIT
