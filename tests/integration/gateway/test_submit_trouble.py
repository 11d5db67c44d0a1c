"""POST /v1/summaries when engines are slow, away, full or talking nonsense."""

import asyncio
import json
import os
import signal
import socket
import time
from collections import Counter
from collections.abc import AsyncIterator
from datetime import timedelta
from typing import Any

import httpx
import pytest

from jobs.api_keys import ApiKey
from jobs.ids import SUMMARY, parse_id
from tests.builders import rows
from tests.integration.gateway.conftest import GatewayThread, gateway_settings
from tests.integration.realtime.doors import SHORT, Door, a_door
from tests.scripted_engine import (
    Call,
    ScriptedEngine,
    completion,
    first_words,
    scripted_engine,
)
from tests.waiting import until

NOWHERE = "postgresql://nobody:x@127.0.0.1:1/nothing"
Reply = tuple[int, dict[str, Any]]
NOTHING = {
    "job": 0,
    "job_key": 0,
    "job_input": 0,
    "summary": 0,
    "outbox": 0,
    "idempotency_key": 0,
}


async def never(_: Call) -> Reply:
    await asyncio.sleep(600)
    raise AssertionError


async def broken(_: Call) -> Reply:
    return 500, {"error": {"message": "out of memory", "code": 500}}


async def nothing(_: Call) -> Reply:
    return completion("")


async def cut(_: Call) -> Reply:
    return completion("A plain answer about buses.", prompt_tokens=3)


async def refusing(_: Call) -> Reply:
    return 400, {"error": {"message": "too long", "code": 400}}


@pytest.fixture
async def engine() -> AsyncIterator[ScriptedEngine]:
    async with scripted_engine() as serving:
        yield serving


@pytest.fixture
async def door(database_url: str, engine: ScriptedEngine) -> AsyncIterator[Door]:
    """Short limits, so that slow is soon."""
    async with a_door(
        database_url,
        engine.url,
        realtime_limit=timedelta(seconds=1),
        realtime_max_in_flight=2,
    ) as opened:
        yield opened


TROUBLES = [
    (never, "too_slow", "realtime_unavailable"),
    (broken, "engine_unavailable", "realtime_unavailable"),
    (nothing, "output_unusable", "model_output_invalid"),
    (cut, "prompt_cut", "model_output_invalid"),
    (refusing, "engine_refused", "realtime_unavailable"),
]
NAMES = [trouble[0].__name__ for trouble in TROUBLES]


@pytest.mark.parametrize(("answer", "reason", "code"), TROUBLES, ids=NAMES)
async def test_auto_goes_on_in_batch_under_the_same_id(
    door: Door, engine: ScriptedEngine, answer: Any, reason: str, code: str
) -> None:
    engine.answer = answer
    taken = await door.post()
    job = taken.json()
    assert taken.status_code == 202, taken.text
    assert (job["tier"], job["status"]) == ("batch", "queued")
    assert job["routing"]["reason"] == reason
    # The engine was told the id under which the job goes on.
    (stored,) = await rows(door.database, "SELECT id, routing_reason FROM job")
    assert stored.id == parse_id(SUMMARY, job["id"])
    assert stored.routing_reason == reason
    assert (await door.count_rows())["job_input"] == 1


@pytest.mark.parametrize(("answer", "reason", "code"), TROUBLES, ids=NAMES)
async def test_fault_engine_realtime_garb_is_refused_and_nothing_stored(
    door: Door, engine: ScriptedEngine, answer: Any, reason: str, code: str
) -> None:
    engine.answer = answer
    refused = await door.post({"tier": "realtime"}, Idempotency_Key="k")
    assert refused.status_code == 503
    assert refused.json()["code"] == code
    assert int(refused.headers["retry-after"]) >= 1
    assert await door.count_rows() == NOTHING


async def test_an_unusable_answer_is_asked_for_once_more(
    door: Door, engine: ScriptedEngine
) -> None:
    async def second_time_lucky(call: Call) -> Reply:
        return await (nothing(call) if call.number == 1 else first_words(call))

    engine.answer = second_time_lucky
    assert (await door.post()).status_code == 200
    assert len(engine.calls) == 2


async def test_an_engine_gets_nothing_but_what_we_wrote(
    door: Door, engine: ScriptedEngine
) -> None:
    await door.post()
    (call,) = engine.calls
    assert set(call.request) == {"model", "messages", "max_tokens", "temperature"}
    assert SHORT in call.text


async def test_a_full_pool_is_answered_at_once(
    door: Door, engine: ScriptedEngine
) -> None:
    engine.answer = never
    full = [asyncio.create_task(door.post()) for _ in range(2)]

    async def is_full() -> bool:
        return engine.open_calls == 2

    await until(is_full)
    started = time.monotonic()
    taken = await door.post()
    refused = await door.post({"tier": "realtime"})
    assert time.monotonic() - started < 0.5
    assert taken.json()["routing"]["reason"] == "pool_saturated"
    assert (refused.status_code, refused.json()["code"]) == (
        503,
        "realtime_unavailable",
    )
    answers = await asyncio.gather(*full)
    assert [answer.status_code for answer in answers] == [202, 202]


async def test_a_caller_who_leaves_stops_the_engine_and_leaves_nothing(
    database_url: str, engine: ScriptedEngine
) -> None:
    engine.answer = never
    async with a_door(
        database_url, engine.url, realtime_limit=timedelta(seconds=30)
    ) as door:
        writer = await _send_and_keep(door, Idempotency_Key="mine")

        async def is_working() -> bool:
            return engine.open_calls == 1

        await until(is_working)
        assert (await door.count_rows())["idempotency_key"] == 1
        left_at = time.monotonic()
        writer.close()

        async def is_idle() -> bool:
            return engine.open_calls == 0

        await until(is_idle)
        assert time.monotonic() - left_at < 2
        assert engine.broken_off == 1

        async def is_clean() -> bool:
            return await door.count_rows() == NOTHING

        await until(is_clean)
        # Counted as a caller who left, not as a fault of ours.
        metrics = (await door.client.get("/metrics")).text
        assert 'route="/v1/summaries",status="499"' in metrics
        assert 'status="500"' not in metrics
        engine.answer = first_words
        again = await door.post(Idempotency_Key="mine")
        assert again.status_code == 200
        assert "idempotency-replayed" not in again.headers


async def test_a_tokenizer_that_hangs_delays_nobody_for_long(
    database_url: str, engine: ScriptedEngine
) -> None:
    async def count_words(text: str) -> int:
        return len(text.split())

    released = asyncio.Event()

    async def hang(_: str) -> int:
        await released.wait()
        return 0

    engine.tokenizer = count_words
    async with a_door(database_url, engine.url) as door:
        exact = (await door.post({"tier": "batch"})).json()["routing"]["tokens"]
        assert exact == len(SHORT.split())
        engine.tokenizer = hang
        started = time.monotonic()
        taken = await door.post({"tier": "batch"})
        assert time.monotonic() - started < 3
        assert taken.status_code == 202
        # What nobody has counted is estimated upwards.
        assert taken.json()["routing"]["tokens"] > exact
        released.set()


async def test_a_longer_wait_is_granted_to_the_engine(
    door: Door, engine: ScriptedEngine
) -> None:
    async def slow(call: Call) -> Reply:
        await asyncio.sleep(1.5)
        return await first_words(call)

    engine.answer = slow
    assert (await door.post()).status_code == 202
    answer = await door.post(Prefer="wait=5")
    assert answer.status_code == 200
    assert answer.headers["preference-applied"] == "wait=5"


async def test_without_an_engine_texts_are_accepted_until_one_comes(
    database_url: str, engine: ScriptedEngine
) -> None:
    with socket.create_server(("127.0.0.1", 0)) as probe:
        port = probe.getsockname()[1]
    async with a_door(database_url, f"http://127.0.0.1:{port}") as door:
        taken = await door.post()
        assert taken.json()["routing"]["reason"] == "pool_down"
        assert (await door.post({"text": SHORT * 200})).status_code == 202
        refused = await door.post({"tier": "realtime"})
        assert refused.json()["code"] == "realtime_unavailable"
        late = await asyncio.start_server(engine.serve, "127.0.0.1", port)

        async def is_served() -> bool:
            return (await door.post()).status_code == 200

        await until(is_served)
        late.close()


async def test_a_search_for_engines_does_not_hold_up_the_end(
    database_url: str,
) -> None:
    connected = asyncio.Event()

    async def say_nothing(
        reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        connected.set()
        while await reader.read(1024):
            pass
        writer.close()

    with socket.create_server(("127.0.0.1", 0)) as probe:
        port = probe.getsockname()[1]
    async with a_door(database_url, f"http://127.0.0.1:{port}"):
        silent = await asyncio.start_server(say_nothing, "127.0.0.1", port)
        await asyncio.wait_for(connected.wait(), 10)
        started = time.monotonic()
    assert time.monotonic() - started < 5
    silent.close()


async def test_without_a_database_the_answer_is_503_and_says_when_to_come_back(
    engine: ScriptedEngine,
) -> None:
    gateway = GatewayThread(gateway_settings(NOWHERE, engine.url))
    await asyncio.to_thread(gateway.start)
    headers = {"Authorization": f"Bearer {ApiKey.generate().shown()}"}
    async with httpx.AsyncClient(
        base_url=gateway.url, headers=headers, trust_env=False
    ) as client:
        answer = await client.post("/v1/summaries", json={"text": SHORT})
    await asyncio.to_thread(gateway.stop)
    assert answer.status_code == 503
    assert answer.json()["code"] == "database_unavailable"
    assert int(answer.headers["retry-after"]) >= 1


async def test_a_database_that_stands_still_is_told_of_in_seconds(
    database_url: str,
) -> None:
    async with a_door(database_url) as door:
        await door.post()
        found = await rows(
            door.database,
            "SELECT pid FROM pg_stat_activity"
            " WHERE application_name = 'precis-gateway'",
        )
        started = time.monotonic()
        try:
            for backend in found:
                os.kill(backend.pid, signal.SIGSTOP)
            answers = await asyncio.gather(*(door.post() for _ in range(30)))
        finally:
            for backend in found:
                os.kill(backend.pid, signal.SIGCONT)
        assert time.monotonic() - started < 10
        # Whose group hangs is told so; the next ones get a connection that works.
        told = Counter(answer.status_code for answer in answers)
        assert set(told) <= {202, 503}
        assert told[503] > 0
        assert (await door.count_rows())["job"] >= 1 + told[202]


async def _send_and_keep(door: Door, **headers: str) -> asyncio.StreamWriter:
    """Send a whole request and hold the connection, as a waiting caller does."""
    host, _, port = door.url.removeprefix("http://").partition(":")
    _, writer = await asyncio.open_connection(host, int(port))
    writer.write(_request(door.tenant.api_key, **headers))
    await writer.drain()
    return writer


def _request(api_key: str, **headers: str) -> bytes:
    body = json.dumps({"text": SHORT})
    named = {name.replace("_", "-"): value for name, value in headers.items()} | {
        "Host": "test",
        "Authorization": f"Bearer {api_key}",
        "Content-Type": "application/json",
        "Content-Length": str(len(body)),
    }
    lines = "".join(f"{name}: {value}\r\n" for name, value in named.items())
    return f"POST /v1/summaries HTTP/1.1\r\n{lines}\r\n{body}".encode()
