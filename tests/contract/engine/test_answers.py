"""What a request that makes sense is answered, by vLLM and by the embedded engine."""

import asyncio
import json
from typing import Any

import httpx
import pytest

from tests.contract.engine.served import STORY, Served

CHAT = "/v1/chat/completions"


async def test_it_is_healthy_and_tells_its_version(engine: httpx.AsyncClient) -> None:
    assert (await engine.get("/health")).status_code == 200
    assert (await engine.get("/version")).json()["version"]


async def test_it_lists_its_model_and_context(engine: httpx.AsyncClient) -> None:
    listed = (await engine.get("/v1/models")).json()
    assert listed["object"] == "list"
    card = listed["data"][0]
    assert card["object"] == "model"
    assert card["id"]
    assert card["owned_by"]
    assert card["max_model_len"] > 0


async def test_a_chat_is_answered_with_text_and_usage(
    engine: httpx.AsyncClient, served: Served
) -> None:
    answer = await engine.post(CHAT, json=served.chat())
    assert answer.status_code == 200
    body = answer.json()
    assert body["object"] == "chat.completion"
    assert body["model"] == served.model
    assert body["id"]
    (choice,) = body["choices"]
    assert choice["index"] == 0
    assert choice["message"]["role"] == "assistant"
    assert isinstance(choice["message"]["content"], str)
    assert choice["finish_reason"] in {"stop", "length"}
    usage = body["usage"]
    assert 0 < usage["completion_tokens"] <= 24
    assert usage["total_tokens"] == usage["prompt_tokens"] + usage["completion_tokens"]


async def test_max_tokens_cuts_and_is_told_as_length(
    engine: httpx.AsyncClient, served: Served
) -> None:
    asked = served.chat(max_tokens=3, ignore_eos=True)
    body = (await engine.post(CHAT, json=asked)).json()
    assert body["choices"][0]["finish_reason"] == "length"
    assert 0 < body["usage"]["completion_tokens"] <= 3


async def test_max_completion_tokens_is_the_same_limit(
    engine: httpx.AsyncClient, served: Served
) -> None:
    asked = served.chat(max_completion_tokens=3, ignore_eos=True)
    del asked["max_tokens"]
    body = (await engine.post(CHAT, json=asked)).json()
    assert body["choices"][0]["finish_reason"] == "length"
    assert 0 < body["usage"]["completion_tokens"] <= 3


async def test_the_content_may_come_in_parts(
    engine: httpx.AsyncClient, served: Served
) -> None:
    parts = [{"type": "text", "text": STORY}]
    assert (await engine.post(CHAT, json=served.chat(parts))).status_code == 200


@pytest.mark.parametrize(
    "text", ["水务局宣布更换供水管网。" * 9, "🌊", "a" * 200, "?!" * 40]
)
async def test_any_text_is_answered(
    engine: httpx.AsyncClient, served: Served, text: str
) -> None:
    answer = await engine.post(CHAT, json=served.chat(text))
    assert answer.status_code == 200
    assert isinstance(answer.json()["choices"][0]["message"]["content"], str)


async def test_the_model_may_be_left_out(
    engine: httpx.AsyncClient, served: Served
) -> None:
    asked = served.chat()
    del asked["model"]
    assert (await engine.post(CHAT, json=asked)).json()["model"] == served.model


async def test_a_stream_tells_role_text_end_usage_and_done(
    engine: httpx.AsyncClient, served: Served
) -> None:
    asked = served.chat(stream=True, stream_options={"include_usage": True})
    *events, done = await read_stream(engine, asked)
    assert done == "[DONE]"
    *chunks, last = [json.loads(event) for event in events]
    assert {chunk["object"] for chunk in [*chunks, last]} == {"chat.completion.chunk"}
    assert len({chunk["id"] for chunk in [*chunks, last]}) == 1
    assert chunks[0]["choices"][0]["delta"]["role"] == "assistant"
    reasons = [chunk["choices"][0]["finish_reason"] for chunk in chunks]
    assert reasons[-1] in {"stop", "length"}
    assert set(reasons[:-1]) == {None}
    assert last["choices"] == []
    assert last["usage"]["completion_tokens"] > 0


async def test_a_stream_uses_as_much_of_a_prompt_as_a_plain_answer(
    engine: httpx.AsyncClient, served: Served
) -> None:
    asked = served.chat(ignore_eos=True, max_tokens=3)
    plain = (await engine.post(CHAT, json=asked)).json()
    asked |= {"stream": True, "stream_options": {"include_usage": True}}
    *_, finish, usage, _ = await read_stream(engine, asked)
    assert (
        json.loads(usage)["usage"]["prompt_tokens"] == plain["usage"]["prompt_tokens"]
    )
    reason = json.loads(finish)["choices"][0]["finish_reason"]
    assert reason == plain["choices"][0]["finish_reason"]


async def test_a_stream_has_no_usage_unless_asked(
    engine: httpx.AsyncClient, served: Served
) -> None:
    *events, _ = await read_stream(engine, served.chat(stream=True))
    assert all(json.loads(event)["choices"] for event in events)


async def test_tokenize_counts_messages_as_the_answer_does(
    engine: httpx.AsyncClient, served: Served
) -> None:
    asked = served.chat()
    counted = await engine.post(
        "/tokenize", json={"model": served.model, "messages": asked["messages"]}
    )
    answer = await engine.post(CHAT, json=asked)
    assert counted.json()["count"] == answer.json()["usage"]["prompt_tokens"]


async def test_tokenize_counts_a_prompt(
    engine: httpx.AsyncClient, served: Served
) -> None:
    asked = {"model": served.model, "prompt": STORY}
    counted = (await engine.post("/tokenize", json=asked)).json()
    assert counted["count"] == len(counted["tokens"]) > 0
    assert counted["max_model_len"] == served.context


async def test_64_calls_at_once_are_all_answered(
    engine: httpx.AsyncClient, served: Served
) -> None:
    asked = [served.chat(f"Call {at}. {STORY}") for at in range(64)]
    answers = await asyncio.gather(*(engine.post(CHAT, json=each) for each in asked))
    assert {answer.status_code for answer in answers} == {200}
    assert len({answer.json()["id"] for answer in answers}) == 64


async def read_stream(engine: httpx.AsyncClient, asked: dict[str, Any]) -> list[str]:
    async with engine.stream("POST", CHAT, json=asked) as answer:
        assert answer.status_code == 200
        assert answer.headers["content-type"].startswith("text/event-stream")
        lines = [line async for line in answer.aiter_lines()]
    return [line.removeprefix("data: ") for line in lines if line.startswith("data: ")]
