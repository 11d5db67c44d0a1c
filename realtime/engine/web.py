"""vLLM's HTTP API before the embedded engine.

Handlers read the raw request and answer in vLLM's shapes, errors included. A caller
who leaves cancels the work done for it. What the engine can do is in `embedded`.
Starlette is used bare: FastAPI's schema and dependencies would serve nobody here.
"""

import asyncio
import json
import re
import time
import uuid
from collections.abc import Awaitable, Callable, Coroutine
from http import HTTPStatus
from importlib.metadata import PackageNotFoundError, version
from typing import Any, TypeVar

import structlog
from prometheus_client import CONTENT_TYPE_LATEST, generate_latest
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response, StreamingResponse
from starlette.routing import Route

from jobs.summarizing.tokens import count_tokens
from realtime.engine import answers
from realtime.engine.briefs import count_prompt_tokens
from realtime.engine.embedded import Answer, EmbeddedEngine
from realtime.engine.faults import BadRequest, EngineFault, error_body
from realtime.engine.requests import ChatRequest, TokenizeRequest, read_body

Result = TypeVar("Result")
Handler = Callable[[Request], Awaitable[Response]]

_CLIENT_CLOSED_REQUEST = 499  # nginx's number; nobody is left to read it
_REQUEST_ID = re.compile(r"[\w.:-]{1,128}", re.ASCII)

log = structlog.get_logger()


def create_app(engine: EmbeddedEngine) -> Starlette:
    return Starlette(
        routes=[
            Route(path, handler, methods=[method])
            for method, path, handler in _routes(engine)
        ],
        exception_handlers={
            EngineFault: _tell_fault,
            HTTPException: _tell_http_error,
            ClientDisconnect: _tell_nobody,
            Exception: _tell_bug,
        },
    )


def _routes(engine: EmbeddedEngine) -> tuple[tuple[str, str, Handler], ...]:
    started_at = int(time.time())

    async def chat(request: Request) -> Response:
        body = read_body(ChatRequest, await _json_body(request))
        answer = await _unless_caller_leaves(request, engine.complete(body))
        return _chat_response(answer, body, engine=engine, request=request)

    async def tokenize(request: Request) -> Response:
        body = read_body(TokenizeRequest, await _json_body(request))
        engine.check_model(body.model)
        count = await asyncio.to_thread(_count, body)
        return _json(answers.tokenization(count, context=engine.context))

    async def models(_: Request) -> Response:
        card = answers.models(engine.model, context=engine.context, created=started_at)
        return _json(card)

    async def health(_: Request) -> Response:
        return Response()

    async def tell_version(_: Request) -> Response:
        return _json({"version": _version()})

    async def metrics(_: Request) -> Response:
        page = generate_latest(engine.metrics.registry)
        return Response(page, media_type=CONTENT_TYPE_LATEST)

    return (
        ("POST", "/v1/chat/completions", chat),
        ("POST", "/tokenize", tokenize),
        ("GET", "/v1/models", models),
        ("GET", "/health", health),
        ("GET", "/version", tell_version),
        ("GET", "/metrics", metrics),
    )


def _version() -> str:
    try:
        return version("precis")
    except PackageNotFoundError:  # run from a checkout that is not installed
        return "0+checkout"


async def _json_body(request: Request) -> bytes:
    media_type = request.headers.get("content-type", "").partition(";")[0]
    if media_type.strip().lower() != "application/json":
        raise BadRequest("Unsupported Media Type: Only 'application/json' is allowed")
    return await request.body()


def _chat_response(
    answer: Answer, body: ChatRequest, *, engine: EmbeddedEngine, request: Request
) -> Response:
    about: dict[str, Any] = {
        "answer_id": f"chatcmpl-{_request_id(request)}",
        "model": engine.model,
        "created": int(time.time()),
    }
    if not body.stream:
        return _json(answers.completion(answer, **about))
    events = answers.stream(answer, with_usage=body.wants_usage, **about)
    return StreamingResponse(_each(events), media_type="text/event-stream")


async def _each(events: Any) -> Any:
    """Hand the events on from the event loop; a plain iterator would use a thread."""
    for event in events:
        yield event


def _request_id(request: Request) -> str:
    given = request.headers.get("x-request-id", "")
    return given if _REQUEST_ID.fullmatch(given) else uuid.uuid4().hex


def _count(body: TokenizeRequest) -> int:
    if body.messages is not None:
        return count_prompt_tokens(body.messages)
    return count_tokens(body.prompt or "")


async def _unless_caller_leaves(
    request: Request, work: Coroutine[Any, Any, Result]
) -> Result:
    """Await `work`, or cancel it and raise as soon as the connection is closed."""
    task = asyncio.create_task(work)
    leaving = asyncio.create_task(_until_caller_leaves(request))
    try:
        await asyncio.wait({task, leaving}, return_when=asyncio.FIRST_COMPLETED)
        if not task.done():
            raise ClientDisconnect
        return task.result()
    finally:
        leaving.cancel()
        task.cancel()


async def _until_caller_leaves(request: Request) -> None:
    """Wait for the disconnect; the body has been read, so nothing else can come."""
    while (await request.receive())["type"] != "http.disconnect":
        pass


async def _tell_fault(_: Request, error: Exception) -> Response:
    if not isinstance(error, EngineFault):
        raise TypeError from error
    log.info("engine.refused", status=int(error.status), kind=type(error).__name__)
    return _json(error.body(), status=error.status)


async def _tell_http_error(_: Request, error: Exception) -> Response:
    status = HTTPStatus(getattr(error, "status_code", HTTPStatus.BAD_REQUEST))
    return _json(error_body(status.phrase, status.phrase, status=status), status=status)


async def _tell_nobody(_: Request, _error: Exception) -> Response:
    log.info("engine.caller_left")
    return Response(status_code=_CLIENT_CLOSED_REQUEST)


async def _tell_bug(_: Request, _error: Exception) -> Response:
    """Answer; the server logs the trace of the error, which is raised again."""
    status = HTTPStatus.INTERNAL_SERVER_ERROR
    return _json(
        error_body(status.phrase, "InternalServerError", status=status), status=status
    )


def _json(body: dict[str, Any], *, status: int = HTTPStatus.OK) -> Response:
    return Response(json.dumps(body), status, media_type="application/json")
