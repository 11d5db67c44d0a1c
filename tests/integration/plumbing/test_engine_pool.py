"""The pool over real sockets: balance, limits, health, and the choice of a model."""

import asyncio
import socket
from collections.abc import AsyncIterator, Iterator
from contextlib import AsyncExitStack, asynccontextmanager, contextmanager
from datetime import timedelta

import pytest

from plumbing.engine_client import EngineClient, EngineRequest, Message
from plumbing.engine_discovery import ServedModel, discover
from plumbing.engine_errors import (
    EngineRefused,
    EngineUnavailable,
    ModelUnclear,
    PoolDown,
    PoolSaturated,
)
from plumbing.engine_pool import EnginePool
from tests.integration.plumbing.scripted_engine import (
    Asked,
    Reply,
    Script,
    ScriptedEngine,
    answer_well,
    as_json,
    model_list,
    running_engine,
)

SECOND = timedelta(seconds=1)
SOON = timedelta(milliseconds=100)
MODEL = ServedModel(name="m", context=8192, owned_by="vllm", has_tokenizer=True)
REQUEST = EngineRequest(
    model="m", messages=(Message("user", "text"),), max_tokens=9, request_id="r"
)


@asynccontextmanager
async def pool_of(
    *urls: str, each: int = 2, cooldown: timedelta = 60 * SECOND
) -> AsyncIterator[EnginePool]:
    clients = [EngineClient(url, api_key=None) for url in urls]
    pool = EnginePool(
        "batch", clients, model=MODEL, max_in_flight_each=each, cooldown=cooldown
    )
    try:
        yield pool
    finally:
        await pool.stop()


@contextmanager
def closed_port() -> Iterator[str]:
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        yield f"http://127.0.0.1:{unused.getsockname()[1]}"


class Gate:
    """Holds every answer back until it is opened; after that lets all through."""

    def __init__(self) -> None:
        self.opened = asyncio.Event()

    async def __call__(self, asked: Asked) -> Reply:
        await self.opened.wait()
        return await answer_well(asked)


async def until_asked(*engines: ScriptedEngine, count: int) -> None:
    async with asyncio.timeout(5):
        while sum(len(each.completions()) for each in engines) < count:  # noqa: ASYNC110  sockets tell nobody
            await asyncio.sleep(0.005)


def ask(pool: EnginePool, *, wait: timedelta | None = None) -> "asyncio.Task[object]":
    return asyncio.create_task(pool.complete(REQUEST, timeout=5 * SECOND, wait=wait))


async def test_calls_are_spread_evenly() -> None:
    gate = Gate()
    async with (
        running_engine(gate) as one,
        running_engine(gate) as other,
        pool_of(one.url, other.url, each=3) as pool,
    ):
        calls = [ask(pool) for _ in range(6)]
        await until_asked(one, other, count=6)
        assert (len(one.completions()), len(other.completions())) == (3, 3)
        assert pool.state.in_flight == 6
        assert pool.state.is_saturated
        gate.opened.set()
        answers = await asyncio.gather(*calls)
        assert len(answers) == 6
        assert pool.state.in_flight == 0


async def test_a_full_pool_lets_callers_wait_in_turn() -> None:
    gate = Gate()
    async with running_engine(gate) as engine, pool_of(engine.url, each=2) as pool:
        calls = [ask(pool) for _ in range(7)]
        await until_asked(engine, count=2)
        assert len(engine.completions()) == 2
        gate.opened.set()
        await asyncio.gather(*calls)
        assert len(engine.completions()) == 7


async def test_waiting_ends_when_patience_does() -> None:
    gate = Gate()
    async with running_engine(gate) as engine, pool_of(engine.url, each=1) as pool:
        first = ask(pool)
        await until_asked(engine, count=1)
        for patience in (timedelta(0), SOON):
            with pytest.raises(PoolSaturated):
                await pool.complete(REQUEST, timeout=SECOND, wait=patience)
        gate.opened.set()
        await first
        await pool.complete(REQUEST, timeout=SECOND, wait=timedelta(0))


async def test_a_cancelled_caller_gives_its_seat_back() -> None:
    gate = Gate()
    async with running_engine(gate) as engine, pool_of(engine.url, each=1) as pool:
        first, waiting = ask(pool), ask(pool)
        await until_asked(engine, count=1)
        for call in (waiting, first):
            call.cancel()
        await asyncio.gather(first, waiting, return_exceptions=True)
        assert pool.state.in_flight == 0
        gate.opened.set()
        await pool.complete(REQUEST, timeout=SECOND, wait=timedelta(0))


async def test_a_call_that_found_no_connection_goes_to_another_engine() -> None:
    with closed_port() as dead:
        async with running_engine() as engine, pool_of(dead, engine.url) as pool:
            # Which of two idle engines is asked is chance; 200 calls leave none.
            for _ in range(200):
                answer = await pool.complete(REQUEST, timeout=SECOND, wait=None)
                assert answer.engine == engine.url.removeprefix("http://")
                if pool.state.healthy == 1:
                    break
            assert pool.state.healthy == 1  # five misses in a row took it out
            assert pool.state.engines == 2


async def fail(asked: Asked) -> Reply:
    return as_json({}, 503)


async def test_a_call_that_reached_an_engine_is_not_repeated() -> None:
    async with (
        running_engine(fail) as one,
        running_engine(fail) as other,
        pool_of(one.url, other.url) as pool,
    ):
        with pytest.raises(EngineUnavailable):
            await pool.complete(REQUEST, timeout=SECOND, wait=None)
        assert len(one.completions()) + len(other.completions()) == 1


async def test_a_pool_that_only_fails_goes_down_and_comes_back() -> None:
    async with (
        running_engine(fail) as engine,
        pool_of(engine.url, cooldown=timedelta(milliseconds=50)) as pool,
    ):
        for _ in range(5):
            with pytest.raises(EngineUnavailable):
                await pool.complete(REQUEST, timeout=SECOND, wait=None)
        assert pool.state.is_down
        with pytest.raises(PoolDown):
            await pool.complete(REQUEST, timeout=SECOND, wait=None)
        assert len(engine.completions()) == 5
        engine.script = answer_well
        async with asyncio.timeout(5):
            while pool.state.healthy == 0:
                await pool.probe_once()
        await pool.complete(REQUEST, timeout=SECOND, wait=None)


async def test_those_who_wait_are_sent_away_when_the_pool_goes_down() -> None:
    async with running_engine(fail) as engine, pool_of(engine.url, each=1) as pool:
        calls = [ask(pool) for _ in range(8)]
        outcomes = await asyncio.gather(*calls, return_exceptions=True)
        kinds = [type(outcome) for outcome in outcomes]
        assert kinds == [EngineUnavailable] * 5 + [PoolDown] * 3


async def test_a_refused_request_says_nothing_about_the_engine() -> None:
    async def refuse(asked: Asked) -> Reply:
        return as_json({}, 400)

    async with running_engine(refuse) as engine, pool_of(engine.url) as pool:
        for _ in range(9):
            with pytest.raises(EngineRefused):
                await pool.complete(REQUEST, timeout=SECOND, wait=None)
        assert not pool.state.is_down


async def test_an_idle_engine_that_died_is_found_by_probes() -> None:
    with closed_port() as dead:
        async with running_engine() as engine, pool_of(dead, engine.url) as pool:
            for healthy in (2, 2, 1):
                await pool.probe_once()
                assert pool.state.healthy == healthy


async def test_an_engine_that_answers_is_not_probed() -> None:
    async with running_engine() as engine, pool_of(engine.url) as pool:
        await pool.complete(REQUEST, timeout=SECOND, wait=None)
        await pool.probe_once()
        assert len(engine.asked) == 1
        await pool.probe_once()
        assert engine.asked[-1].headers["x-request-id"] == "probe"


async def test_a_started_pool_probes_by_itself() -> None:
    async with running_engine() as engine, pool_of(engine.url) as pool:
        await pool.start()
        async with asyncio.timeout(5):
            await engine.was_asked.wait()
        assert engine.asked[0].headers["x-request-id"] == "probe"


def listing(*ids: str, tokenizer: bool = True, **more: object) -> Script:
    async def script(asked: Asked) -> Reply:
        if asked.path == "/v1/models":
            return as_json(model_list(*ids, **more))
        if asked.path == "/tokenize" and not tokenizer:
            return as_json({}, 404)
        return await answer_well(asked)

    return script


async def found(
    *scripts: Script,
    model: str | None = None,
    context: int | None = None,
    dead: str | None = None,
) -> ServedModel:
    async with AsyncExitStack() as stack:
        engines = [await stack.enter_async_context(running_engine(s)) for s in scripts]
        urls = [engine.url for engine in engines] + ([dead] if dead else [])
        clients = [EngineClient(url, api_key=None) for url in urls]
        for client in clients:
            stack.push_async_callback(client.close)
        return await discover(clients, model=model, context=context)


async def test_the_only_model_is_taken_with_the_smallest_context() -> None:
    served = await found(
        listing("m", max_model_len=8192), listing("m", max_model_len=4000)
    )
    assert served == ServedModel(
        name="m", context=4000, owned_by="vllm", has_tokenizer=True
    )


@pytest.mark.parametrize(
    ("said", "asked", "settled"),
    [(None, None, 4096), (None, 9000, 9000), (8000, 2000, 2000), (8000, 9000, 8000)],
)
async def test_the_context_is_what_engine_and_operator_allow(
    said: int | None, asked: int | None, settled: int
) -> None:
    served = await found(listing("m", max_model_len=said), context=asked)
    assert served.context == settled


async def test_of_several_models_one_must_be_named() -> None:
    with pytest.raises(ModelUnclear, match="PRECIS_ENGINE_MODEL"):
        await found(listing("a", "b"))
    assert (await found(listing("a", "b"), model="b")).name == "b"


async def test_a_model_that_nobody_serves_is_refused() -> None:
    with pytest.raises(ModelUnclear):
        await found(listing("a"), model="b")
    with pytest.raises(ModelUnclear):
        await found(listing())


async def test_engines_that_disagree_are_refused() -> None:
    with pytest.raises(ModelUnclear, match="different models: a, b"):
        await found(listing("a"), listing("b"))


async def test_one_engine_without_a_tokenizer_is_enough_to_have_none() -> None:
    served = await found(listing("m"), listing("m", tokenizer=False))
    assert not served.has_tokenizer


async def test_engines_that_are_away_are_left_out_but_not_all() -> None:
    with closed_port() as dead:
        assert (await found(listing("m"), dead=dead)).name == "m"
        with pytest.raises(EngineUnavailable):
            await found(dead=dead)
