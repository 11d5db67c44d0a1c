"""F16: two gateways are restarted in turn under load, and no caller notices.

Callers go by way of a load balancer, which repeats what nobody took and nothing else;
none of them has a key, so that a request which was half done would be seen.
"""

import asyncio
import signal
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Final

import pytest

from plumbing.database import Database
from tests.builders import TenantForTests, a_tenant, rows
from tests.faults.front import A_TEXT, Front
from tests.faults.gateway.balancer import Balancer
from tests.faults.gateway.houses import start_engine, start_fronts
from tests.faults.gateway.wire import PATH, CutOff, a_get, a_post
from tests.figures.record import record
from tests.fixtures.processes import Processes

ROUNDS: Final = 5
CALLERS: Final = 16
ENGINE_SECONDS: Final = 0.3


@dataclass
class Tally:
    statuses: Counter[int] = field(default_factory=Counter)
    accepted: list[str] = field(default_factory=list)
    cut_off: int = 0


async def call_all_the_while(
    balancer: Balancer,
    tenant: TenantForTests,
    tally: Tally,
    *,
    until_set: asyncio.Event,
) -> None:
    """Realtime, batch, and reading what was accepted, one after the other."""
    submissions = [
        a_post(tenant, {"text": A_TEXT, "tier": "realtime"}),
        a_post(tenant, {"text": A_TEXT, "tier": "batch"}),
        a_post(tenant, {"text": A_TEXT, "tier": "batch"}, Prefer="wait=1"),
    ]
    while not until_set.is_set():
        for request in submissions:
            job = await ask(balancer, request, tally)
            if job is not None:
                tally.accepted.append(job)
                await ask(balancer, a_get(tenant, f"{PATH}/{job}"), tally)


async def ask(balancer: Balancer, request: bytes, tally: Tally) -> str | None:
    try:
        answer = await balancer.ask(request)
    except CutOff:
        tally.cut_off += 1
        return None
    tally.statuses[answer.status] += 1
    job: str | None = answer.document.get("id")
    return job


async def restart_in_turn(fronts: Sequence[Front]) -> None:
    for front in fronts:
        front.process.send_signal(signal.SIGTERM)
        assert await asyncio.to_thread(front.process.wait) == 0
        await front.start_again()


@pytest.mark.timeout(180)
async def test_f16_a_rolling_restart_fails_nobody(
    database: Database, database_url: str, processes: Processes
) -> None:
    tenant = await a_tenant(database)
    url = await start_engine(processes, longest_seconds=ENGINE_SECONDS)
    fronts = await start_fronts(
        processes, database_url, count=2, realtime_engine_urls=url
    )
    balancer = Balancer([front.port for front in fronts])
    tally, is_over = Tally(), asyncio.Event()
    load = [
        asyncio.create_task(
            call_all_the_while(balancer, tenant, tally, until_set=is_over)
        )
        for _ in range(CALLERS)
    ]
    for _ in range(ROUNDS):
        await restart_in_turn(fronts)
    is_over.set()
    await asyncio.gather(*load)
    assert tally.cut_off == 0
    assert set(tally.statuses) == {200, 202}, tally.statuses
    stored = await rows(database, "SELECT id FROM job")
    assert {f"sum_{job.id.hex}" for job in stored} == set(tally.accepted)
    record(
        figure="F16",
        what="rolling restart of two gateways under load, behind a load balancer that "
        "repeats only what was refused",
        size=f"{ROUNDS * len(fronts)} restarts, {CALLERS} callers",
        result={
            "requests": tally.statuses.total(),
            "accepted": len(tally.accepted),
            "accepted and failed": 0,
            "sent to the other gateway": balancer.repeated,
        },
        goal="0 accepted requests fail",
        command="make test-faults",
    )
