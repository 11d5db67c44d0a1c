"""What carries a request to an engine: httpx's types outside, aiohttp inside.

Chosen by measurement and by one demand: a caller that is cancelled must close its
connection, since that alone tells an engine to drop the work. pyreqwest 0.15 is as
fast, but goes on waiting for the answer after a cancellation. Only the engine client
uses this; to change what is inside, change this file.
"""

from collections.abc import Mapping
from datetime import timedelta
from typing import Final

import aiohttp
import httpx

# Below what servers keep (uvicorn 5 s): a reused connection must not be a closed one.
_IDLE_TIMEOUT: Final = timedelta(seconds=4)

_TOLD_AS: Final[Mapping[type[aiohttp.ClientError], type[httpx.TransportError]]] = {
    aiohttp.ConnectionTimeoutError: httpx.ConnectTimeout,
    aiohttp.ClientConnectorError: httpx.ConnectError,
    aiohttp.ClientConnectionError: httpx.ReadError,
    aiohttp.ClientPayloadError: httpx.ReadError,
}


class EngineTransport(httpx.AsyncBaseTransport):
    """Keeps connections open; follows no redirect and asks no proxy.

    A proxy of the surroundings is for the internet, and engines are next door.
    """

    def __init__(self, *, connect_timeout: timedelta) -> None:
        self._timeout = aiohttp.ClientTimeout(
            total=None, connect=connect_timeout.total_seconds()
        )
        self._session: aiohttp.ClientSession | None = None

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        """Exchange one request; the answer is returned whole."""
        try:
            async with self._open().request(
                request.method,
                str(request.url),
                headers=request.headers.multi_items(),
                data=request.content or None,
                allow_redirects=False,
            ) as answer:
                content = await answer.read()
        except aiohttp.ClientError as error:
            raise _translate(error) from error
        # The body is decompressed already: a second decoding must not be tried.
        headers = [
            each for each in answer.headers.items() if each[0] != "Content-Encoding"
        ]
        return httpx.Response(answer.status, headers=headers, content=content)

    async def aclose(self) -> None:
        session, self._session = self._session, None
        if session is not None:
            await session.close()

    def _open(self) -> aiohttp.ClientSession:
        # Not in the constructor: a session belongs to the loop that runs.
        if self._session is None:
            self._session = aiohttp.ClientSession(
                connector=aiohttp.TCPConnector(
                    limit=0,  # the pool of engines counts the calls
                    keepalive_timeout=_IDLE_TIMEOUT.total_seconds(),
                ),
                cookie_jar=aiohttp.DummyCookieJar(),
                timeout=self._timeout,
            )
        return self._session


def _translate(error: aiohttp.ClientError) -> httpx.TransportError:
    for kind, told_as in _TOLD_AS.items():
        if isinstance(error, kind):
            return told_as(type(error).__name__)
    return httpx.RemoteProtocolError(type(error).__name__)
