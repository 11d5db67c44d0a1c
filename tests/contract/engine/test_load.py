"""What an engine tells of its work, and what it does when its callers leave."""

import asyncio
import contextlib
import re
import time
from collections.abc import Awaitable, Callable

import httpx
import pytest

from tests.contract.engine.served import STORY, Served

CHAT = "/v1/chat/completions"
RUNNING = "vllm:num_requests_running"
WAITING = "vllm:num_requests_waiting"
PROMPT_TOKENS = "vllm:prompt_tokens_total"
GENERATION_TOKENS = "vllm:generation_tokens_total"

Condition = Callable[[], Awaitable[bool]]


async def test_its_metrics_have_vllms_names_and_name_the_model(
    engine: httpx.AsyncClient, served: Served
) -> None:
    page = (await engine.get("/metrics")).text
    for name in (RUNNING, WAITING, PROMPT_TOKENS, GENERATION_TOKENS):
        sample = rf'^{re.escape(name)}\{{[^}}]*model_name="{re.escape(served.model)}"'
        assert re.search(sample, page, re.MULTILINE), name


async def test_its_counters_grow_by_what_was_used(
    engine: httpx.AsyncClient, served: Served
) -> None:
    before = await metrics(engine)
    usage = (await engine.post(CHAT, json=served.chat())).json()["usage"]

    async def counted() -> bool:
        now = await metrics(engine)
        return bool(
            now[PROMPT_TOKENS] >= before[PROMPT_TOKENS] + usage["prompt_tokens"]
            and now[GENERATION_TOKENS]
            >= before[GENERATION_TOKENS] + usage["completion_tokens"]
        )

    assert await comes_true(counted, seconds=10)


@pytest.mark.parametrize("stream", [False, True], ids=["plain", "stream"])
async def test_work_stops_when_its_callers_leave(
    engine_url: str, engine: httpx.AsyncClient, served: Served, *, stream: bool
) -> None:
    copies = max(1, served.context // 2 // 140)  # the story has 75 to 135 tokens
    asked = served.chat(
        " ".join(f"In year {at}: {STORY}" for at in range(copies)),
        max_tokens=served.context // 4,
        ignore_eos=True,
        stream=stream,
    )

    async def is_busy() -> bool:
        now = await metrics(engine)
        return now[RUNNING] + now[WAITING] > 0

    async def is_idle() -> bool:
        return not await is_busy()

    async with httpx.AsyncClient(base_url=engine_url, timeout=60) as leaving:
        calls = [asyncio.create_task(leaving.post(CHAT, json=asked)) for _ in range(16)]
        assert await comes_true(is_busy, seconds=10)
        for call in calls:
            call.cancel()
        await asyncio.gather(*calls, return_exceptions=True)
    assert await comes_true(is_idle, seconds=2)


async def metrics(engine: httpx.AsyncClient) -> dict[str, float]:
    """Sum the samples of each name over their labels."""
    totals: dict[str, float] = {}
    for line in (await engine.get("/metrics")).text.splitlines():
        with contextlib.suppress(ValueError):
            name, value = re.split(r"(?:\{.*\})? ", line, maxsplit=1)
            totals[name] = totals.get(name, 0) + float(value)
    return totals


async def comes_true(condition: Condition, *, seconds: float) -> bool:
    deadline = time.monotonic() + seconds
    while not await condition():
        if time.monotonic() > deadline:
            return False
        await asyncio.sleep(0.01)
    return True
