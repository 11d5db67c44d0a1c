"""Gateways and an engine as processes of their own, for what is measured under load.

Nothing of theirs runs in the loop of the test, which has enough to do with its callers.
"""

import asyncio
import re
from pathlib import Path
from typing import Final

import httpx

from tests.faults.front import Front
from tests.fixtures.database import login_url
from tests.fixtures.processes import Processes, free_port

HOST: Final = "http://127.0.0.1"


async def start_engine(processes: Processes, *, longest_seconds: float) -> str:
    """An engine whose answers take up to so long; gives its address."""
    port = free_port()
    engine = processes.start("tests.chaos.engine", str(port), str(longest_seconds))
    await asyncio.to_thread(engine.wait_ready, f"{HOST}:{port}/v1/models")
    return f"{HOST}:{port}"


async def start_fronts(
    processes: Processes, database_url: str, count: int = 1, **settings: object
) -> list[Front]:
    """Gateways with the rights that a gateway has."""
    url = login_url(database_url, "gateway")
    fronts = [Front(processes, url, **settings) for _ in range(count)]
    await asyncio.gather(*(front.ready() for front in fronts))
    return fronts


async def read_metric(client: httpx.AsyncClient, name: str) -> float:
    """The sum of its samples, whatever their labels."""
    page = (await client.get("/metrics")).text
    samples = re.findall(rf"^{re.escape(name)}(?:{{.*}})? (.+)$", page, re.MULTILINE)
    return sum(map(float, samples))


def own_memory(pid: int) -> int:
    """Bytes that no file backs: what the process has made itself."""
    told = Path(f"/proc/{pid}/smaps_rollup").read_text()
    (kilobytes,) = re.findall(r"^Pss_Anon: +(\d+) kB$", told, re.MULTILINE)
    return int(kilobytes) * 1024
