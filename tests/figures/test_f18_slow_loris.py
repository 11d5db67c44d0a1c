"""F18: two thousand callers who never finish, and what honest ones notice of them.

Two gateways, and one of them is attacked, in turn: both are asked at the same time, so
that what else runs on the machine meets both alike. The p99 is that of all windows
together: a few of the slowest calls of one alone say little. Honest callers ask at an
even pace for realtime summaries.
"""

import asyncio
import random
import sys
import time
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from functools import partial
from typing import Final

import httpx
import pytest

from plumbing.database import Database
from tests.builders import TenantForTests, a_tenant
from tests.faults.front import A_TEXT, Front
from tests.faults.gateway.houses import read_metric, start_fronts
from tests.faults.gateway.wire import Line, a_post
from tests.figures.record import record
from tests.fixtures.processes import Processes, free_port
from tests.waiting import until

ATTACKERS: Final = 2000
WINDOWS: Final = 10
SECONDS: Final = 10.0
CALLERS: Final = 4
PER_SECOND: Final = 100
GOAL_RATIO: Final = 1.10
IN_FLIGHT: Final = "precis_gateway_requests_in_flight"


@asynccontextmanager
async def under_attack(port: int, tenant: TenantForTests) -> AsyncIterator[None]:
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "tests.faults.gateway.slow_loris"),
        *(str(port), str(ATTACKERS), tenant.api_key),
        stdout=asyncio.subprocess.PIPE,
    )
    assert process.stdout is not None
    try:
        async with asyncio.timeout(30):
            assert await process.stdout.readline() == b"ready\n"
        yield
    finally:
        process.kill()
        await process.wait()


async def ask_both(
    lines: Mapping[Front, Sequence[Line]], request: bytes
) -> dict[Front, list[float]]:
    taken: dict[Front, list[float]] = {front: [] for front in lines}
    end = time.monotonic() + SECONDS
    await asyncio.gather(
        *(
            ask_evenly(line, request, taken[front], end=end)
            for front, its_lines in lines.items()
            for line in its_lines
        )
    )
    return taken


def p99(seconds: Sequence[float]) -> float:
    return sorted(seconds)[int(0.99 * len(seconds))]


async def ask_evenly(
    line: Line, request: bytes, taken: list[float], *, end: float
) -> None:
    while time.monotonic() < end:
        answer = await line.ask(request)
        assert answer.status == 200, answer.body
        taken.append(answer.seconds)
        await asyncio.sleep(random.uniform(0, 2 * CALLERS / PER_SECOND))


async def start_stub(processes: Processes) -> str:
    """An engine that answers at once: the gateway is what is measured."""
    port = free_port()
    stub = processes.start("benchmarks.stub_engine", str(port))
    url = f"http://127.0.0.1:{port}"
    await asyncio.to_thread(stub.wait_ready, f"{url}/v1/models")
    return url


async def wait_until_served(front: Front, requests: int) -> None:
    """So many are under way at the gateway, beside the one that asks."""
    async with httpx.AsyncClient(base_url=front.url, trust_env=False) as gateway:

        async def are_served() -> bool:
            return await read_metric(gateway, IN_FLIGHT) == requests + 1

        await until(are_served)


@pytest.mark.timeout(300)
async def test_f18_honest_callers_notice_nothing_of_slow_ones(
    database: Database, database_url: str, processes: Processes
) -> None:
    honest, hostile = await a_tenant(database), await a_tenant(database)
    url = await start_stub(processes)
    fronts = await start_fronts(
        processes, database_url, count=2, realtime_engine_urls=url
    )
    request = a_post(honest, {"text": A_TEXT, "tier": "realtime"})
    lines = {
        front: [await Line.open(front.port) for _ in range(CALLERS)] for front in fronts
    }
    measure = partial(ask_both, lines, request)
    await measure()  # the first calls of a process are slow
    quiet: list[float] = []
    attacked: list[float] = []
    for window in range(WINDOWS):
        victim, other = fronts[window % 2], fronts[1 - window % 2]
        async with under_attack(victim.port, hostile):
            # Half of them have sent a head, so their requests have begun.
            await wait_until_served(victim, ATTACKERS // 2)
            told = await measure()
        attacked += told[victim]
        quiet += told[other]
        await wait_until_served(victim, 0)
    for line in (*lines[fronts[0]], *lines[fronts[1]]):
        line.leave()
    ratio = p99(attacked) / p99(quiet)
    assert ratio <= GOAL_RATIO, (p99(quiet), p99(attacked))
    record(
        figure="F18",
        what="honest realtime calls beside connections whose heads and bodies never "
        "end, against a gateway that has none, at the same time",
        size=f"{ATTACKERS} slow connections, {WINDOWS} windows of {SECONDS:.0f} s, "
        f"{PER_SECOND} honest calls a second at each gateway",
        result={
            "p99 attacked / quiet": round(ratio, 2),
            "p99 quiet, milliseconds": round(1000 * p99(quiet), 1),
            "p99 attacked, milliseconds": round(1000 * p99(attacked), 1),
        },
        goal="p99 of honest callers rises by 10 % at most",
        command="make test-faults",
    )
