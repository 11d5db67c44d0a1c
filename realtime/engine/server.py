"""The embedded engine's composition root: settings in, a listening server out.

uvicorn serves until the stop event is set, then lets the answers under way go out.
Signals belong to plumbing.process alone.
"""

import asyncio
import contextlib
import socket
from collections.abc import Iterator

import structlog
import uvicorn

from realtime.engine.embedded import EmbeddedEngine
from realtime.engine.extractive.summary import summarize
from realtime.engine.settings import EmbeddedEngineSettings
from realtime.engine.web import create_app

_BACKLOG = 2048
_KEEP_ALIVE_SECONDS = 75  # longer than callers keep an idle connection
_LONGEST_STOP_SECONDS = 10

log = structlog.get_logger()


class _Server(uvicorn.Server):
    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Leave the signals alone: uvicorn would raise them again at its end."""
        yield


async def serve(settings: EmbeddedEngineSettings, *, stop: asyncio.Event) -> None:
    engine = EmbeddedEngine(settings, summarize=summarize)
    listener = _listen(settings.engine_host, settings.engine_port)
    server = _Server(_uvicorn_config(engine))
    serving = asyncio.create_task(server.serve(sockets=[listener]))
    log.info(
        "engine.listening",
        host=settings.engine_host,
        port=listener.getsockname()[1],
        model=engine.model,
        max_model_len=engine.context,
    )
    try:
        await _until_either(serving, stop)
    finally:
        server.should_exit = True
        await serving
        engine.slots.close()


def _listen(host: str, port: int) -> socket.socket:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    return socket.create_server((host, port), family=family, backlog=_BACKLOG)


def _uvicorn_config(engine: EmbeddedEngine) -> uvicorn.Config:
    return uvicorn.Config(
        create_app(engine),
        lifespan="off",
        log_config=None,  # logs are configured already
        access_log=False,
        server_header=False,
        backlog=_BACKLOG,
        timeout_keep_alive=_KEEP_ALIVE_SECONDS,
        timeout_graceful_shutdown=_LONGEST_STOP_SECONDS,
    )


async def _until_either(serving: asyncio.Task[None], stop: asyncio.Event) -> None:
    stopping = asyncio.create_task(stop.wait())
    await asyncio.wait({serving, stopping}, return_when=asyncio.FIRST_COMPLETED)
    stopping.cancel()
