"""The HTTP side in process: what only the embedded engine promises.

What vLLM promises as well is in tests/contract/engine.
"""

import asyncio
import json
import threading
import time
from collections.abc import AsyncIterator, MutableMapping
from typing import Any

import httpx
import pytest

from realtime.engine.embedded import EmbeddedEngine
from realtime.engine.extractive.ranking import Checkpoint
from realtime.engine.extractive.selection import Budget
from realtime.engine.extractive.summary import Extract, summarize
from realtime.engine.settings import EmbeddedEngineSettings
from realtime.engine.web import create_app

CANARY = "zanzibar-canary"


def engine_with(summarizer: Any = summarize, **options: Any) -> EmbeddedEngine:
    named = {f"engine_{name}": value for name, value in options.items()}
    return EmbeddedEngine(EmbeddedEngineSettings(**named), summarize=summarizer)


def client_of(engine: EmbeddedEngine) -> httpx.AsyncClient:
    transport = httpx.ASGITransport(create_app(engine), raise_app_exceptions=False)
    return httpx.AsyncClient(transport=transport, base_url="http://engine")


@pytest.fixture
async def client() -> AsyncIterator[httpx.AsyncClient]:
    engine = engine_with(max_model_len=500)
    async with client_of(engine) as client:
        yield client
    engine.slots.close()


def chat(content: Any = "The barrier is closed.", **fields: Any) -> dict[str, Any]:
    return {"messages": [{"role": "user", "content": content}], **fields}


MALFORMED = {
    "no JSON": "{",
    "no object": "[]",
    "no messages": {"max_tokens": 5},
    "no message in them": {"messages": []},
    "messages of a wrong type": {"messages": CANARY},
    "content of a wrong type": {
        "messages": [{"role": "user", "content": {"a": CANARY}}]
    },
    "an image": chat([{"type": "image_url", "image_url": {"url": CANARY}}]),
    "max_tokens 0": chat(CANARY, max_tokens=0),
    "several answers": chat(CANARY, n=2),
    "stream options without a stream": chat(CANARY, stream_options={}),
    "a lone surrogate": '{"messages":[{"role":"user","content":"\\ud800"}]}',
}


@pytest.mark.parametrize("body", MALFORMED.values(), ids=MALFORMED.keys())
async def test_a_malformed_request_is_refused_without_repeating_it(
    client: httpx.AsyncClient, body: Any
) -> None:
    answer = await client.post(
        "/v1/chat/completions",
        content=body if isinstance(body, str) else json.dumps(body),
        headers={"Content-Type": "application/json"},
    )
    assert answer.status_code == 400
    error = answer.json()["error"]
    assert error.keys() == {"message", "type", "param", "code"}
    assert (error["type"], error["code"]) == ("BadRequestError", 400)
    assert CANARY not in answer.text


async def test_another_content_type_is_refused(client: httpx.AsyncClient) -> None:
    answer = await client.post("/v1/chat/completions", content=json.dumps(chat()))
    assert answer.status_code == 400


@pytest.mark.parametrize(
    ("path", "method", "status"),
    [("/v1/completions", "POST", 404), ("/tokenize", "GET", 405)],
)
async def test_what_is_not_offered_is_refused_in_the_same_shape(
    client: httpx.AsyncClient, path: str, method: str, status: int
) -> None:
    answer = await client.request(method, path)
    assert answer.status_code == status
    assert answer.json()["error"]["code"] == status


@pytest.mark.parametrize("words", [450, 20_000], ids=["counted", "not even counted"])
async def test_a_prompt_that_leaves_no_room_for_max_tokens_is_refused(
    client: httpx.AsyncClient, words: int
) -> None:
    answer = await client.post(
        "/v1/chat/completions", json=chat("word " * words, max_tokens=10)
    )
    assert answer.status_code == 400
    assert "maximum context length is 500 tokens" in answer.json()["error"]["message"]


async def test_the_context_is_used_to_its_last_token(client: httpx.AsyncClient) -> None:
    text = "word " * 300
    counted = await client.post("/tokenize", json={"prompt": text})
    room = 500 - counted.json()["count"]
    for max_tokens, status in ((room, 200), (room + 1, 400)):
        answer = await client.post(
            "/v1/chat/completions", json=chat(text, max_tokens=max_tokens)
        )
        assert answer.status_code == status


async def test_a_request_id_given_is_part_of_the_answers_id(
    client: httpx.AsyncClient,
) -> None:
    answer = await client.post(
        "/v1/chat/completions", json=chat(), headers={"X-Request-Id": "job-7.2"}
    )
    assert answer.json()["id"] == "chatcmpl-job-7.2"


async def test_a_blank_text_is_answered_with_nothing(client: httpx.AsyncClient) -> None:
    answer = await client.post("/v1/chat/completions", json=chat("  \n"))
    assert answer.json()["choices"][0]["message"]["content"] == ""


async def test_a_full_queue_is_told_as_503() -> None:
    go_on = threading.Event()

    def slow(text: str, *, budget: Budget, check: Checkpoint) -> Extract:
        go_on.wait(5)
        return Extract("late", is_cut=False)

    engine = engine_with(slow, max_num_seqs=1, max_queued=1)
    async with client_of(engine) as client:
        calls = [
            asyncio.create_task(client.post("/v1/chat/completions", json=chat()))
            for _ in range(2)
        ]
        await until(lambda: engine.slots.waiting_count == 1)
        refused = await client.post("/v1/chat/completions", json=chat())
        go_on.set()
        answered = await asyncio.gather(*calls)
    assert refused.status_code == 503
    assert refused.json()["error"]["code"] == 503
    assert [answer.status_code for answer in answered] == [200, 200]
    engine.slots.close()


async def test_an_error_of_ours_is_a_500_that_says_nothing_of_the_text() -> None:
    def broken(text: str, *, budget: Budget, check: Checkpoint) -> Extract:
        raise RuntimeError(text)

    engine = engine_with(broken)
    async with client_of(engine) as client:
        answer = await client.post("/v1/chat/completions", json=chat(CANARY))
    assert answer.status_code == 500
    assert CANARY not in answer.text
    engine.slots.close()


async def test_work_is_abandoned_when_its_caller_closes_the_connection() -> None:
    started, abandoned = threading.Event(), threading.Event()

    def endless(text: str, *, budget: Budget, check: Checkpoint) -> Extract:
        started.set()
        try:
            while True:
                time.sleep(0.002)
                check()
        finally:
            abandoned.set()

    engine = engine_with(endless)
    leave = asyncio.Event()
    call = asyncio.create_task(_call(create_app(engine), chat(), leave=leave))
    await until(started.is_set)
    assert engine.slots.running_count == 1
    leave.set()
    await until(abandoned.is_set)
    await until(lambda: engine.slots.running_count == 0)
    await call
    engine.slots.close()


async def _call(app: Any, body: dict[str, Any], *, leave: asyncio.Event) -> None:
    """Call the application as a server does for a caller who hangs up at `leave`."""
    messages = iter([{"type": "http.request", "body": json.dumps(body).encode()}])

    async def receive() -> MutableMapping[str, Any]:
        for message in messages:
            return message
        await leave.wait()
        return {"type": "http.disconnect"}

    async def send(_: MutableMapping[str, Any]) -> None:
        pass

    scope = {
        "type": "http",
        "method": "POST",
        "path": "/v1/chat/completions",
        "query_string": b"",
        "headers": [(b"content-type", b"application/json")],
    }
    await app(scope, receive, send)


async def until(condition: Any, *, seconds: float = 2) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline
        await asyncio.sleep(0.002)
