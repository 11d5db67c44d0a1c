"""Whether the processes of a local stack answer; nobody else says where its own are."""

import asyncio
from pathlib import Path
from typing import Final

import httpx

from precis.cli.doctor_findings import Finding, fail, ok
from precis.cli.operating import is_told_by_stack, read_ready

_SECONDS: Final = 3


async def check_processes(data: Path) -> list[Finding]:
    if not is_told_by_stack(data):
        return []
    health: dict[str, str] = read_ready(data)["health"]
    async with httpx.AsyncClient(timeout=_SECONDS, trust_env=False) as client:
        answers = await asyncio.gather(*(_ask(client, url) for url in health.values()))
    silent = [
        name for name, is_well in zip(health, answers, strict=True) if not is_well
    ]
    if not silent:
        return [ok("processes", f"{', '.join(health)} answer")]
    remedy = f"Look at their logs in {data}; `precis up` starts again what has ended."
    return [fail("processes", f"no answer from {', '.join(silent)}", remedy=remedy)]


async def _ask(client: httpx.AsyncClient, url: str) -> bool:
    try:
        return (await client.get(url)).is_success
    except httpx.HTTPError:
        return False
