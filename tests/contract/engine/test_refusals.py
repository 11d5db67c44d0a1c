"""What a request that makes no sense is answered."""

from typing import Any

import httpx
import pytest

from tests.contract.engine.served import Served

CHAT = "/v1/chat/completions"
JSON = {"Content-Type": "application/json"}


def assert_refused(answer: httpx.Response, status: int) -> None:
    assert answer.status_code == status
    error = answer.json()["error"]
    assert error["code"] == status
    assert error["message"]
    assert error["type"]


async def test_an_unknown_model_is_not_found(
    engine: httpx.AsyncClient, served: Served
) -> None:
    answer = await engine.post(CHAT, json=served.chat(model="no/such-model"))
    assert_refused(answer, 404)
    assert answer.json()["error"]["type"] == "NotFoundError"
    assert "no/such-model" in answer.json()["error"]["message"]


async def test_an_unknown_model_is_not_tokenized_for(engine: httpx.AsyncClient) -> None:
    answer = await engine.post("/tokenize", json={"model": "no/such", "prompt": "a"})
    assert_refused(answer, 404)


async def test_a_prompt_longer_than_the_context_is_refused_with_its_size(
    engine: httpx.AsyncClient, served: Served
) -> None:
    answer = await engine.post(CHAT, json=served.chat("word " * served.context))
    assert_refused(answer, 400)
    assert "context length" in answer.json()["error"]["message"]
    assert str(served.context) in answer.json()["error"]["message"]


@pytest.mark.parametrize("body", ["{", '{"messages": [', "not json", ""])
async def test_malformed_json_is_refused(engine: httpx.AsyncClient, body: str) -> None:
    assert_refused(await engine.post(CHAT, content=body, headers=JSON), 400)


@pytest.mark.parametrize(
    "fields",
    [
        {"messages": "a text"},
        {"messages": None},
        {"max_tokens": -1},
        {"max_tokens": "many"},
        {"stream": "perhaps"},
        {"stream_options": {"include_usage": True}},
    ],
    ids=str,
)
async def test_a_field_that_makes_no_sense_is_refused(
    engine: httpx.AsyncClient, served: Served, fields: dict[str, Any]
) -> None:
    assert_refused(await engine.post(CHAT, json=served.chat() | fields), 400)


async def test_an_engine_that_refused_answers_the_next(
    engine: httpx.AsyncClient, served: Served
) -> None:
    await engine.post(CHAT, json=served.chat("word " * served.context))
    assert (await engine.post(CHAT, json=served.chat())).status_code == 200
