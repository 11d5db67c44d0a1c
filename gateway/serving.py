"""The listening server around the app, started by us so that we can stop it as we wish.

On the stop event it takes no new connection, hears out those who have just come, lets
those who wait for a job go, and gives the answers under way up to thirty seconds.
Signals belong to plumbing.process.
"""

import asyncio
import contextlib
import socket
import time
from collections.abc import Iterator
from typing import Any, Final

import structlog
import uvicorn
from fastapi import FastAPI

from gateway.context import Gateway

_BACKLOG: Final = 2048
_KEEP_ALIVE_SECONDS: Final = 75  # longer than proxies keep an idle connection
_LONGEST_STOP_SECONDS: Final = 30
_LONGEST_SILENCE_SECONDS: Final = 1.0
_LOOK_SECONDS: Final = 0.02

log = structlog.get_logger()


class _Server(uvicorn.Server):
    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Leave the signals alone: uvicorn would raise them again at its end."""
        yield

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """Hear out who has just connected, or the end would meet requests under way.

        uvicorn closes every connection without a request, and the kernel resets those
        that nobody accepted: their callers could not know whether what they had sent by
        then was done.
        """
        queued = [each for listener in sockets or () for each in _accept_all(listener)]
        for listening in (*self.servers, *(sockets or ())):
            listening.close()
        loop = asyncio.get_running_loop()
        for accepted in queued:
            await loop.connect_accepted_socket(self._make_protocol, accepted)
        end = time.monotonic() + _LONGEST_SILENCE_SECONDS
        # What was accepted last is no connection yet.
        await asyncio.sleep(_LOOK_SECONDS)
        while self._has_newcomers() and time.monotonic() < end:  # noqa: ASYNC110 - nobody tells
            await asyncio.sleep(_LOOK_SECONDS)
        await super().shutdown(sockets)

    def _make_protocol(self) -> asyncio.Protocol:
        """As uvicorn makes one for each connection that it accepts itself."""
        kind: Any = self.config.http_protocol_class
        protocol: asyncio.Protocol = kind(
            config=self.config,
            server_state=self.server_state,
            app_state=self.lifespan.state,
        )
        return protocol

    def _has_newcomers(self) -> bool:
        cycles = (
            getattr(connection, "cycle", None)
            for connection in self.server_state.connections
        )
        return any(cycle is None for cycle in cycles)


def _accept_all(listener: socket.socket) -> Iterator[socket.socket]:
    """Who has connected and stands in the kernel's queue."""
    listener.setblocking(False)
    with contextlib.suppress(OSError):  # the queue is empty, or gives nothing more
        while True:
            accepted, _ = listener.accept()
            accepted.setblocking(False)
            yield accepted


async def serve(app: FastAPI, gateway: Gateway, *, stop: asyncio.Event) -> None:
    listener = _listen(gateway.settings.gateway_host, gateway.settings.gateway_port)
    server = _Server(_config(app))
    serving = asyncio.create_task(server.serve(sockets=[listener]))
    host, port = listener.getsockname()[:2]
    log.info("gateway.listening", host=host, port=port)
    stopping = asyncio.create_task(stop.wait())
    try:
        await asyncio.wait({serving, stopping}, return_when=asyncio.FIRST_COMPLETED)
    finally:
        stopping.cancel()
        server.should_exit = True
        gateway.watcher.stop()
        await serving


def _listen(host: str, port: int) -> socket.socket:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    return socket.create_server((host, port), family=family, backlog=_BACKLOG)


def _config(app: FastAPI) -> uvicorn.Config:
    return uvicorn.Config(
        app,
        http="httptools",
        ws="none",
        lifespan="off",
        log_config=None,  # logs are configured already
        access_log=False,  # the doorway writes one without queries
        server_header=False,
        proxy_headers=False,
        backlog=_BACKLOG,
        timeout_keep_alive=_KEEP_ALIVE_SECONDS,
        timeout_graceful_shutdown=_LONGEST_STOP_SECONDS,
    )
