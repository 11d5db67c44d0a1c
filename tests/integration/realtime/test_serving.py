"""One short text through `serve`: the answer that counts, and why it may not."""

import asyncio
from collections.abc import AsyncIterator
from datetime import timedelta
from typing import Any

import pytest

from jobs.summarizing.tokens import count_tokens
from plumbing.engine_client import EngineClient
from plumbing.engine_discovery import discover
from plumbing.engine_pool import EnginePool
from realtime.serving import HandOver, Served, serve
from tests.integration.realtime.doors import SHORT
from tests.scripted_engine import Call, ScriptedEngine, completion, scripted_engine
from tests.waiting import until

Reply = tuple[int, dict[str, Any]]
SUMMARY = "Forty electric buses will be bought next year."


@pytest.fixture
async def engine() -> AsyncIterator[ScriptedEngine]:
    async with scripted_engine() as serving:
        yield serving


@pytest.fixture
async def pool(engine: ScriptedEngine) -> AsyncIterator[EnginePool]:
    clients = [EngineClient(engine.url, api_key=None)]
    served = await discover(clients, model=None, context=None)
    opened = EnginePool("realtime", clients, model=served, max_in_flight_each=4)
    yield opened
    await opened.stop()


def says(text: str, **details: Any) -> Any:
    async def answer(_: Call) -> Reply:
        return completion(text, **details)

    return answer


async def ask(
    pool: EnginePool,
    *,
    with_citations: bool = False,
    limit: timedelta = timedelta(seconds=5),
) -> Served | HandOver:
    return await serve(
        SHORT,
        length=30,
        with_citations=with_citations,
        pool=pool,
        limit=limit,
        request_id="sum_1:0:0",
    )


async def test_a_good_answer_is_served_trimmed_and_with_its_origin(
    pool: EnginePool, engine: ScriptedEngine
) -> None:
    engine.answer = says(f"\n {SUMMARY} ", prompt_tokens=count_tokens(SHORT) * 3)
    served = await ask(pool)
    assert isinstance(served, Served)
    assert served.summary == SUMMARY
    assert served.citations is None
    assert served.provenance["model"] == "scripted"
    assert served.prompt_tokens == count_tokens(SHORT) * 3


async def test_citations_point_into_the_text_as_sent(
    pool: EnginePool, engine: ScriptedEngine
) -> None:
    engine.answer = says(SUMMARY)
    served = await ask(pool, with_citations=True)
    assert isinstance(served, Served)
    assert served.citations
    (citation,) = served.citations
    source = SHORT[citation["source_start"] : citation["source_end"]]
    assert "Forty electric ones" in source


@pytest.mark.parametrize(
    ("answer", "reason"),
    [
        (says(""), "output_unusable"),
        (says("!" * 200), "output_unusable"),
        (says(SUMMARY, finish_reason="length"), "output_unusable"),
        (says(SUMMARY, prompt_tokens=4), "prompt_cut"),
    ],
    ids=["empty", "garbage", "cut-answer", "cut-prompt"],
)
async def test_an_answer_that_is_no_summary_is_handed_over(
    pool: EnginePool, engine: ScriptedEngine, answer: Any, reason: str
) -> None:
    engine.answer = answer
    assert await ask(pool) == HandOver(reason)
    assert len(engine.calls) <= 2


async def test_a_cancelled_call_leaves_the_engine_idle(
    pool: EnginePool, engine: ScriptedEngine
) -> None:
    async def never(_: Call) -> Reply:
        await asyncio.sleep(600)
        raise AssertionError

    engine.answer = never
    asking = asyncio.create_task(ask(pool))

    async def is_working() -> bool:
        return engine.open_calls == 1

    async def is_idle() -> bool:
        return engine.open_calls == 0

    await until(is_working)
    asking.cancel()
    await asyncio.wait([asking])
    assert asking.cancelled()
    await until(is_idle, seconds=2)
    assert pool.state.in_flight == 0


async def test_two_tries_share_one_time_limit(
    pool: EnginePool, engine: ScriptedEngine
) -> None:
    async def slowly_useless(_: Call) -> Reply:
        await asyncio.sleep(0.4)
        return completion("")

    engine.answer = slowly_useless
    asked_at = asyncio.get_running_loop().time()
    outcome = await ask(pool, limit=timedelta(seconds=0.6))
    assert outcome == HandOver("too_slow")
    assert asyncio.get_running_loop().time() - asked_at < 1
