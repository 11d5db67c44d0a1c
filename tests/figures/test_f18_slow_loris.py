"""F18: two thousand callers who never finish, and what honest ones notice of them.

Two gateways, and one of them is attacked, in turn: both are asked at the same time, so
that what else runs on the machine meets both alike. A window gives the p99 of each,
and its ratio; the median of the windows' ratios is the figure. Honest callers ask at an
even pace for realtime summaries.
"""

import asyncio
import random
import statistics
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
WINDOWS: Final = 8
SECONDS: Final = 8.0
CALLERS: Final = 4
PER_SECOND: Final = 60
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


async def p99s_of_window(
    lines: Mapping[Front, Sequence[Line]], request: bytes
) -> dict[Front, float]:
    taken: dict[Front, list[float]] = {front: [] for front in lines}
    end = time.monotonic() + SECONDS
    await asyncio.gather(
        *(
            ask_evenly(line, request, taken[front], end=end)
            for front, its_lines in lines.items()
            for line in its_lines
        )
    )
    return {
        front: sorted(seconds)[int(0.99 * len(seconds))]
        for front, seconds in taken.items()
    }


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


@pytest.mark.timeout(180)
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
    measure = partial(p99s_of_window, lines, request)
    await measure()  # the first calls of a process are slow
    quiet: list[float] = []
    attacked: list[float] = []
    for window in range(WINDOWS):
        victim, other = fronts[window % 2], fronts[1 - window % 2]
        async with under_attack(victim.port, hostile):
            # Half of them have sent a head, so their requests have begun.
            await wait_until_served(victim, ATTACKERS // 2)
            told = await measure()
        attacked.append(told[victim])
        quiet.append(told[other])
        await wait_until_served(victim, 0)
    for line in (*lines[fronts[0]], *lines[fronts[1]]):
        line.leave()
    ratios = [bad / good for bad, good in zip(attacked, quiet, strict=True)]
    ratio = statistics.median(ratios)
    assert ratio <= GOAL_RATIO, (quiet, attacked, ratios)
    record(
        figure="F18",
        what="honest realtime calls beside connections whose heads and bodies never "
        "end, against a gateway that has none, at the same time",
        size=f"{ATTACKERS} slow connections, {WINDOWS} windows of {SECONDS:.0f} s, "
        f"{PER_SECOND} honest calls a second at each gateway",
        result={
            "p99 attacked / quiet (median)": round(ratio, 2),
            "p99 quiet, milliseconds": round(1000 * statistics.median(quiet), 1),
            "p99 attacked, milliseconds": round(1000 * statistics.median(attacked), 1),
        },
        goal="p99 of honest callers rises by 10 % at most",
        command="make test-faults",
    )
