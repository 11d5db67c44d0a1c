"""F15: a thousand clients leave in the middle of their realtime calls.

The engine is the embedded one, which ranks one text at a time here and lets the others
wait: so a thousand calls are under way at once, and all of them have to be dropped.
"""

import asyncio
import time
from functools import partial
from typing import Final

import httpx
import pytest

from plumbing.database import Database
from tests.builders import a_tenant, rows
from tests.faults.gateway.houses import HOST, read_metric, start_fronts
from tests.faults.gateway.wire import Line, a_post
from tests.figures.record import record
from tests.fixtures.processes import Processes, free_port
from tests.waiting import until

CLIENTS: Final = 1000
AT_ONCE: Final = 50
GOAL_SECONDS: Final = 2.0
LONG: Final = " ".join(
    f"House {number} of the town was built in {1500 + number} by {number % 7} masons."
    for number in range(160)
)
RUNNING: Final = "vllm:num_requests_running"
WAITING: Final = "vllm:num_requests_waiting"
DONE: Final = "vllm:request_success_total"
IN_FLIGHT: Final = "precis_gateway_requests_in_flight"


async def start_engine(processes: Processes) -> str:
    port = free_port()
    engine = processes.start(
        *("realtime.engine", "--profile", "embedded", "--port", str(port)),
        *("--max-num-seqs", "1", "--max-queued", str(2 * CLIENTS)),
    )
    url = f"{HOST}:{port}"
    await asyncio.to_thread(engine.wait_ready, f"{url}/health")
    return url


async def under_way(engine: httpx.AsyncClient) -> float:
    return await read_metric(engine, RUNNING) + await read_metric(engine, WAITING)


async def is_idle(engine: httpx.AsyncClient) -> bool:
    return await under_way(engine) == 0


@pytest.mark.timeout(180)
async def test_f15_the_engine_drops_the_work_of_those_who_left(
    database: Database, database_url: str, processes: Processes
) -> None:
    tenant = await a_tenant(database)
    url = await start_engine(processes)
    (front,) = await start_fronts(
        processes,
        database_url,
        realtime_engine_urls=url,
        realtime_limit=120,
        realtime_max_in_flight=2 * CLIENTS,
    )
    request = a_post(tenant, {"text": LONG, "tier": "realtime"})
    lines: list[Line] = []
    async with (
        httpx.AsyncClient(base_url=url, timeout=30, trust_env=False) as engine,
        httpx.AsyncClient(base_url=front.url, timeout=30, trust_env=False) as gateway,
    ):
        # Some are answered before all have left.
        while await under_way(engine) < CLIENTS + AT_ONCE:
            more = await asyncio.gather(
                *(Line.open(front.port) for _ in range(AT_ONCE))
            )
            for line in more:
                line.send(request)
            lines += more
            await until(partial(is_taken, engine, len(lines)), seconds=60)
        began = time.monotonic()
        for line in lines:
            line.leave()
        await until(partial(is_idle, engine), seconds=30)
        seconds = time.monotonic() - began
        done = await read_metric(engine, DONE)
        await until(partial(nobody_is_served, gateway))
        assert await read_metric(engine, DONE) == done, "work was done for nobody"
    # Only what was answered is stored; some left between the engine's word and ours.
    stored = await rows(database, "SELECT count(*) FROM job")
    assert stored[0][0] <= done
    left_early = len(lines) - round(done)
    assert left_early >= CLIENTS
    assert seconds <= GOAL_SECONDS, f"{seconds:.2f} s"
    record(
        figure="F15",
        what="clients disconnect in the middle of realtime calls; the embedded engine "
        "ranks one text at a time",
        size=f"{left_early} calls under way",
        result={
            "seconds until the engine was idle": round(seconds, 2),
            "calls finished after that": 0,
        },
        goal="running requests fall to 0 in 2 s or less",
        command="make test-faults",
    )


async def is_taken(engine: httpx.AsyncClient, sent: int) -> bool:
    """Every call that was sent is with the engine, or was answered by it."""
    return await under_way(engine) + await read_metric(engine, DONE) >= sent


async def nobody_is_served(gateway: httpx.AsyncClient) -> bool:
    return await read_metric(gateway, IN_FLIGHT) == 1  # the one that asks
