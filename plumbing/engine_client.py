"""One model engine, spoken to over the OpenAI HTTP API (vLLM, Ollama, llama.cpp).

One try per call: which engine to ask, and whether to ask again, is left to the pool and
to its callers. A caller that is cancelled closes its connection, which is how an engine
learns to drop the work.
"""

import json
import re
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from http import HTTPStatus
from typing import Any, Final, NamedTuple
from urllib.parse import urlsplit

from pydantic_core import to_json

from plumbing.backoff import parse_retry_after
from plumbing.engine_errors import EngineGarbled, EngineRefused, EngineUnavailable
from plumbing.engine_transport import EngineResponse, EngineTransport

_CONNECT_TIMEOUT: Final = timedelta(seconds=1)
# JSON can write it, but nobody can store it or send it on.
_HALF_CHARACTER: Final = re.compile("[\ud800-\udfff]")
_COMPLETIONS: Final = "/v1/chat/completions"
_TOKENIZE: Final = "/tokenize"
_MODELS: Final = "/v1/models"
_SIDE_CALL_TIMEOUT: Final = timedelta(seconds=10)


class Message(NamedTuple):
    role: str
    content: str


@dataclass(frozen=True, slots=True, kw_only=True)
class EngineRequest:
    model: str
    messages: tuple[Message, ...]
    max_tokens: int
    request_id: str
    temperature: float = 0.0

    def __repr__(self) -> str:
        """Name the request without its text, which must not reach a log."""
        return f"EngineRequest({self.request_id}, max_tokens={self.max_tokens})"

    def to_json(self) -> bytes:
        body = {
            "model": self.model,
            "messages": [message._asdict() for message in self.messages],
            "max_tokens": self.max_tokens,
            "temperature": self.temperature,
        }
        return to_json(body)


@dataclass(frozen=True, slots=True, kw_only=True)
class Completion:
    text: str
    finish_reason: str | None
    prompt_tokens: int | None
    completion_tokens: int | None
    model: str


@dataclass(frozen=True, slots=True, kw_only=True)
class EngineModel:
    id: str
    owned_by: str
    max_model_len: int | None


class EngineClient:
    """Keep-alive connections to one engine; `close` ends them."""

    def __init__(
        self,
        url: str,
        *,
        api_key: str | None,
        connect_timeout: timedelta = _CONNECT_TIMEOUT,
    ) -> None:
        # Whoever copies the address from another client's settings brings a /v1 along.
        self.url = url.rstrip("/").removesuffix("/v1")
        self.name = urlsplit(self.url).netloc.rpartition("@")[2]
        headers = {"Content-Type": "application/json", "Accept": "application/json"}
        if api_key is not None:
            headers["Authorization"] = f"Bearer {api_key}"
        self._transport = EngineTransport(
            self.url, headers=headers, connect_timeout=connect_timeout
        )

    async def complete(
        self,
        request: EngineRequest,
        *,
        timeout: timedelta,  # noqa: ASYNC109  the transport keeps it
    ) -> Completion:
        """Ask for one answer; `timeout` bounds all of it, to the last byte."""
        response = await self._send(
            "POST",
            _COMPLETIONS,
            body=request.to_json(),
            request_id=request.request_id,
            timeout=timeout,
        )
        return _read_completion(_read_json(response))

    async def tokenize(self, model: str, text: str) -> int | None:
        """Count with the engine's own tokenizer; None where it offers none."""
        body = {"model": model, "prompt": text, "add_special_tokens": False}
        try:
            response = await self._send(
                "POST", _TOKENIZE, body=json.dumps(body).encode()
            )
        except EngineRefused as refusal:
            if refusal.status in {HTTPStatus.NOT_FOUND, HTTPStatus.METHOD_NOT_ALLOWED}:
                return None
            raise
        # llama.cpp has a /tokenize of another shape, without a count.
        return _count_or_none(_read_json(response).get("count"))

    async def models(self) -> list[EngineModel]:
        listing = _read_json(await self._send("GET", _MODELS)).get("data")
        if not isinstance(listing, list):
            raise EngineGarbled("a list of models without data")
        return [_read_model(entry) for entry in listing]

    async def probe(self, model: str) -> None:
        """Generate one token: a hung engine goes on answering /health with 200."""
        await self.complete(
            EngineRequest(
                model=model,
                messages=(Message("user", "ok"),),
                max_tokens=1,
                request_id="probe",
            ),
            timeout=_SIDE_CALL_TIMEOUT,
        )

    async def close(self) -> None:
        self._transport.close()

    async def _send(
        self,
        method: str,
        path: str,
        *,
        body: bytes = b"",
        request_id: str | None = None,
        timeout: timedelta = _SIDE_CALL_TIMEOUT,  # noqa: ASYNC109  as above
    ) -> EngineResponse:
        try:
            response = await self._transport.exchange(
                method, path, body, request_id=request_id, within=timeout
            )
        except TimeoutError as error:
            raise EngineUnavailable("too slow") from error
        _refuse_errors(response)
        return response


def _refuse_errors(response: EngineResponse) -> None:
    status = response.status
    if status == HTTPStatus.OK:
        return
    if (
        status == HTTPStatus.TOO_MANY_REQUESTS
        or status >= HTTPStatus.INTERNAL_SERVER_ERROR
    ):
        raise EngineUnavailable(f"status {status}", retry_after=_retry_after(response))
    if status >= HTTPStatus.BAD_REQUEST:
        raise EngineRefused(status)
    raise EngineGarbled(f"status {status}")


def _retry_after(response: EngineResponse) -> timedelta | None:
    header = response.headers.get("retry-after")
    return None if header is None else parse_retry_after(header, now=datetime.now(UTC))


def _read_json(response: EngineResponse) -> dict[str, Any]:
    try:
        content = json.loads(response.content)
    except (ValueError, RecursionError) as error:
        raise EngineGarbled("an answer that is not JSON") from error
    if not isinstance(content, dict):
        raise EngineGarbled("an answer that is not a JSON object")
    return content


def _read_completion(content: dict[str, Any]) -> Completion:
    try:
        choice = content["choices"][0]
        # A model may generate nothing that shows; the callers judge that.
        text = choice["message"]["content"] or ""
        model = content["model"]
        usage = content.get("usage") or {}
        return Completion(
            text=_string(text),
            finish_reason=choice.get("finish_reason"),
            prompt_tokens=_count_or_none(usage.get("prompt_tokens")),
            completion_tokens=_count_or_none(usage.get("completion_tokens")),
            model=_string(model),
        )
    except (KeyError, IndexError, TypeError, AttributeError) as error:
        # `from None`: the cause may show a piece of the answer.
        raise EngineGarbled(f"no completion ({type(error).__name__})") from None


def _read_model(entry: Any) -> EngineModel:
    if not isinstance(entry, dict) or not isinstance(entry.get("id"), str):
        raise EngineGarbled("a model without an id")
    return EngineModel(
        id=entry["id"],
        owned_by=str(entry.get("owned_by") or ""),
        max_model_len=_count_or_none(entry.get("max_model_len")),
    )


def _string(value: Any) -> str:
    if not isinstance(value, str) or _HALF_CHARACTER.search(value):
        raise TypeError
    return value


def _count_or_none(value: Any) -> int | None:
    return value if isinstance(value, int) and not isinstance(value, bool) else None
