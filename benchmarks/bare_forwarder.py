"""The peer of realtime: FastAPI that hands a text on to the engine by httpx.

`python -m benchmarks.bare_forwarder PORT httpx|httpx-aiohttp`: no key, no limits, no
tokens counted, no check of the answer, nothing stored.
"""

import sys
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Final

import httpx
import uvicorn
from fastapi import FastAPI
from httpx_aiohttp import AiohttpTransport
from pydantic import BaseModel

from benchmarks.stub_engine import MODEL
from plumbing.settings import EngineSettings, read_settings

_LIMITS: Final = httpx.Limits(max_connections=128, max_keepalive_connections=128)
_CLIENTS: Final[dict[str, Callable[[], httpx.AsyncClient]]] = {
    "httpx": lambda: httpx.AsyncClient(limits=_LIMITS, timeout=60),
    "httpx-aiohttp": lambda: httpx.AsyncClient(
        transport=AiohttpTransport(limits=_LIMITS), timeout=60
    ),
}


class SummaryRequest(BaseModel):
    text: str
    tier: str


class Summary(BaseModel):
    summary: str


def create_app(engine_url: str, *, transport: str) -> FastAPI:
    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        async with _CLIENTS[transport]() as client:
            app.state.client = client
            yield

    app = FastAPI(lifespan=lifespan)

    @app.post("/v1/summaries")
    async def summarize(request: SummaryRequest) -> Summary:
        client: httpx.AsyncClient = app.state.client
        answer = await client.post(
            f"{engine_url}/v1/chat/completions",
            json={
                "model": MODEL,
                "messages": [
                    {"role": "system", "content": "Summarize the document."},
                    {"role": "user", "content": request.text},
                ],
                "max_tokens": 500,
            },
        )
        answer.raise_for_status()
        return Summary(summary=answer.json()["choices"][0]["message"]["content"])

    return app


if __name__ == "__main__":
    port, transport = sys.argv[1:]
    (url,) = read_settings(EngineSettings).realtime_engine_urls
    uvicorn.run(
        create_app(url, transport=transport),
        port=int(port),
        access_log=False,
        log_level="warning",
    )
