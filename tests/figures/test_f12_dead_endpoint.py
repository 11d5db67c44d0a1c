"""F12: 200,000 deliveries wait for a receiver that hangs, and nobody else notices.

The same endings are told twice: on an empty table, and behind the dead receiver's
rows. What the first attempts lag is read from what the notifier itself wrote down.
"""

import asyncio
import statistics
from functools import partial
from typing import Final

import pytest

from plumbing.database import Database
from tests.builders import TenantForTests, a_tenant, rows
from tests.figures.record import record
from tests.integration.notifier import receivers
from tests.integration.notifier.endings import an_ended_job
from tests.integration.notifier.notifier_process import a_notifier
from tests.integration.notifier.receivers import Receiver
from tests.waiting import until

DEAD_ROWS: Final = 200_000
AT_ONCE: Final = 40_000
TENANTS: Final = 20
ENDINGS: Final = 300
PER_SECOND: Final = 12
GOAL_SECONDS: Final = 5.0
_DEAD_LANE: Final = "host:dead"
_FILL: Final = """
INSERT INTO delivery (event_id, job_id, tenant_id, kind, receiver, lane)
SELECT e.id, e.job_id, e.tenant_id, 'webhook', :url || '?n=' || n, :lane
FROM event e, generate_series(:first, :last) n WHERE e.job_id = :job RETURNING 1
"""
_LAGS: Final = """
SELECT extract(epoch FROM a.started_at - e.created_at) AS seconds
FROM delivery d JOIN event e ON e.id = d.event_id
JOIN delivery_attempt a ON a.delivery_id = d.id AND a.number = 1
WHERE d.lane LIKE :lanes AND d.state = 'delivered'
"""


async def tell_endings(
    database: Database, tenants: list[TenantForTests], url: str, *, phase: str
) -> list[float]:
    """Endings of all tenants in turn, each with a lane; gives the lags, in order."""
    for number in range(ENDINGS):
        place = number % len(tenants)
        named = {"webhook_url": url, "webhook_lane": f"host:{phase}-{place}"}
        await an_ended_job(database, tenants[place], delivery=named)
        await asyncio.sleep(1 / PER_SECOND)
    of_phase = partial(lags, database, phase)

    async def all_are_told() -> bool:
        return len(await of_phase()) == ENDINGS

    await until(all_are_told, seconds=60, what="not all were told")
    return await of_phase()


async def lags(database: Database, phase: str) -> list[float]:
    found = await rows(database, _LAGS, lanes=f"host:{phase}-%")
    return sorted(float(row.seconds) for row in found)


async def let_many_wait(database: Database, url: str) -> None:
    job = await an_ended_job(database, await a_tenant(database), delivery={"email": []})
    for done in range(0, DEAD_ROWS, AT_ONCE):
        filled = await rows(
            database,
            _FILL,
            url=url,
            lane=_DEAD_LANE,
            first=done + 1,
            last=done + AT_ONCE,
            job=job,
        )
        assert len(filled) == AT_ONCE


def p99(ordered: list[float]) -> float:
    return ordered[int(0.99 * len(ordered))]


@pytest.mark.timeout(180)
async def test_f12_a_dead_endpoint_delays_nobody(
    database: Database, database_url: str
) -> None:
    tenants = [await a_tenant(database) for _ in range(TENANTS)]
    async with (
        Receiver() as alive,
        Receiver(behaviour=receivers.hang) as dead,
        a_notifier(database_url),
    ):
        alone = await tell_endings(database, tenants, alive.url, phase="alone")
        await let_many_wait(database, dead.url)
        beside = await tell_endings(database, tenants, alive.url, phase="beside")
        assert len(dead.received) >= 5, "the dead one was not even tried"
    waiting = await rows(
        database,
        "SELECT 1 FROM delivery WHERE lane = :lane AND attempt = 0",
        lane=_DEAD_LANE,
    )
    assert len(waiting) >= 0.99 * DEAD_ROWS
    assert p99(beside) <= GOAL_SECONDS
    record(
        figure="F12",
        what="first attempts for other tenants beside the rows of a receiver that hangs",
        size=f"{DEAD_ROWS:,} rows for the dead one, {ENDINGS} endings of {TENANTS} tenants",
        result={
            "p99 seconds": round(p99(beside), 3),
            "p99 seconds without those rows": round(p99(alone), 3),
            "median seconds": round(statistics.median(beside), 3),
            "median seconds without those rows": round(statistics.median(alone), 3),
        },
        goal="p99 <= 5 s beside 10,000 rows",
        command="make test-faults",
    )
