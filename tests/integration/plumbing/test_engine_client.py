"""The engine client over real sockets, against a server that says what we tell it."""

import asyncio
import socket
import time
from datetime import timedelta

import pytest

from plumbing.engine_client import EngineClient, EngineModel, EngineRequest, Message
from plumbing.engine_errors import EngineGarbled, EngineRefused, EngineUnavailable
from tests.integration.plumbing.scripted_engine import (
    Asked,
    Reply,
    Script,
    as_json,
    completion,
    running_engine,
)

SECOND = timedelta(seconds=1)
REQUEST = EngineRequest(
    model="m",
    messages=(Message("system", "Be brief."), Message("user", "很长的文字")),
    max_tokens=64,
    request_id="job-7",
)


def always(reply: Reply) -> Script:
    async def script(asked: Asked) -> Reply:
        return reply

    return script


async def hang(asked: Asked) -> Reply:
    await asyncio.Event().wait()
    raise AssertionError


async def test_a_completion_is_asked_and_read() -> None:
    async with running_engine() as engine:
        client = EngineClient(engine.url + "/v1/", api_key="sesame")
        answer = await client.complete(REQUEST, timeout=SECOND)
        await client.close()
    assert (answer.text, answer.finish_reason, answer.model) == ("short", "stop", "m")
    assert (answer.prompt_tokens, answer.completion_tokens) == (12, 3)
    [asked] = engine.asked
    assert (asked.method, asked.path) == ("POST", "/v1/chat/completions")
    assert asked.headers["x-request-id"] == "job-7"
    assert asked.headers["authorization"] == "Bearer sesame"
    assert asked.body["messages"][1] == {"role": "user", "content": "很长的文字"}
    assert (asked.body["max_tokens"], asked.body["temperature"]) == (64, 0.0)


async def test_connections_are_kept() -> None:
    async with running_engine() as engine:
        client = EngineClient(engine.url, api_key=None)
        for _ in range(5):
            await client.complete(REQUEST, timeout=SECOND)
        await client.close()
    assert engine.connections == 1
    assert "authorization" not in engine.asked[0].headers


async def test_a_cancelled_caller_closes_its_connection() -> None:
    async with running_engine(hang) as engine:
        client = EngineClient(engine.url, api_key=None)
        call = asyncio.create_task(client.complete(REQUEST, timeout=60 * SECOND))
        async with asyncio.timeout(5):
            await engine.was_asked.wait()
            call.cancel()
            with pytest.raises(asyncio.CancelledError):
                await call
            await engine.hung_up.wait()
        await client.close()


async def test_the_time_limit_holds_and_closes_the_connection() -> None:
    async with running_engine(hang) as engine:
        client = EngineClient(engine.url, api_key=None)
        started = time.monotonic()
        with pytest.raises(EngineUnavailable) as caught:
            await client.complete(REQUEST, timeout=SECOND / 5)
        assert time.monotonic() - started < 1
        assert caught.value.was_reached
        async with asyncio.timeout(5):
            await engine.hung_up.wait()
        await client.close()


async def test_a_closed_port_was_not_reached() -> None:
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        client = EngineClient(
            f"http://127.0.0.1:{unused.getsockname()[1]}", api_key=None
        )
        with pytest.raises(EngineUnavailable) as caught:
            await client.complete(REQUEST, timeout=SECOND)
    assert not caught.value.was_reached
    await client.close()


async def test_a_connection_that_is_never_answered_is_given_up_soon() -> None:
    # A full backlog: the kernel drops further connection attempts.
    with socket.socket() as full, socket.socket() as first, socket.socket() as second:
        full.bind(("127.0.0.1", 0))
        full.listen(0)
        for filler in (first, second):
            filler.setblocking(False)
            filler.connect_ex(full.getsockname())
        client = EngineClient(
            f"http://127.0.0.1:{full.getsockname()[1]}",
            api_key=None,
            connect_timeout=timedelta(milliseconds=200),
        )
        started = time.monotonic()
        with pytest.raises(EngineUnavailable) as caught:
            await client.complete(REQUEST, timeout=10 * SECOND)
        assert time.monotonic() - started < 5
    assert not caught.value.was_reached
    await client.close()


@pytest.mark.parametrize("status", [429, 500, 502, 503, 504])
async def test_a_busy_or_broken_engine_is_unavailable(status: int) -> None:
    async with running_engine(always(as_json({}, status, Retry_After="7"))) as engine:
        client = EngineClient(engine.url, api_key=None)
        with pytest.raises(EngineUnavailable) as caught:
            await client.complete(REQUEST, timeout=SECOND)
        await client.close()
    assert caught.value.retry_after == timedelta(seconds=7)
    assert caught.value.was_reached


@pytest.mark.parametrize("status", [400, 401, 404, 422])
async def test_a_wrong_request_is_refused_without_quoting(status: int) -> None:
    quoting = as_json({"error": {"message": "很长的文字"}}, status)
    async with running_engine(always(quoting)) as engine:
        client = EngineClient(engine.url, api_key=None)
        with pytest.raises(EngineRefused) as caught:
            await client.complete(REQUEST, timeout=SECOND)
        await client.close()
    assert caught.value.status == status
    assert "很长" not in str(caught.value)


@pytest.mark.parametrize(
    "reply",
    [
        Reply(200, b"<html>"),
        Reply(200, b""),
        Reply(200, b"\xff\xfe"),
        as_json([]),
        as_json({}),
        as_json({"choices": []}),
        as_json(completion(choices=[{"message": None}])),
        as_json(completion(choices=[{"message": {"content": ["a"]}}])),
        as_json(completion(model=None)),
        as_json(completion(usage=[1])),
        as_json({}, 302, Location="http://127.0.0.1:1/"),
        Reply(204, b""),
        Reply(200, b"[" * 100_000),
        as_json(completion("half of a character: \ud83d")),
    ],
)
async def test_another_shape_is_garbled(reply: Reply) -> None:
    async with running_engine(always(reply)) as engine:
        client = EngineClient(engine.url, api_key=None)
        with pytest.raises(EngineGarbled):
            await client.complete(REQUEST, timeout=SECOND)
        await client.close()


async def test_an_answer_without_text_or_usage_is_passed_on() -> None:
    bare = completion(None, usage=None)
    async with running_engine(always(as_json(bare))) as engine:
        client = EngineClient(engine.url, api_key=None)
        answer = await client.complete(REQUEST, timeout=SECOND)
        await client.close()
    assert (answer.text, answer.prompt_tokens) == ("", None)


async def test_tokens_are_counted_where_there_is_a_tokenizer() -> None:
    async with running_engine() as engine:
        client = EngineClient(engine.url, api_key=None)
        assert await client.tokenize("m", "three small words") == 3
        await client.close()
    assert engine.asked[0].body["add_special_tokens"] is False


@pytest.mark.parametrize(
    "reply", [as_json({}, 404), as_json({}, 405), as_json({"tokens": []})]
)
async def test_no_tokenizer_is_no_error(reply: Reply) -> None:
    async with running_engine(always(reply)) as engine:
        client = EngineClient(engine.url, api_key=None)
        assert await client.tokenize("m", "words") is None
        await client.close()


async def test_models_are_listed() -> None:
    async with running_engine() as engine:
        client = EngineClient(engine.url, api_key=None)
        models = await client.models()
        await client.close()
    assert models == [EngineModel(id="m", owned_by="vllm", max_model_len=8192)]


async def test_a_list_without_ids_is_garbled() -> None:
    async with running_engine(always(as_json({"data": [{}]}))) as engine:
        client = EngineClient(engine.url, api_key=None)
        with pytest.raises(EngineGarbled):
            await client.models()
        await client.close()


async def test_a_probe_generates_one_token() -> None:
    async with running_engine() as engine:
        client = EngineClient(engine.url, api_key=None)
        await client.probe("m")
        await client.close()
    assert engine.asked[0].body["max_tokens"] == 1


def test_a_request_hides_its_text() -> None:
    assert "文字" not in repr(REQUEST)
