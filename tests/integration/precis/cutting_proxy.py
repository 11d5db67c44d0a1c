"""A TCP relay that lets requests through and loses the first answers."""

import asyncio
import contextlib
from typing import Self
from urllib.parse import urlsplit


class CuttingProxy:
    """The service gets every request; of the first `losses` answers nobody hears."""

    def __init__(self, target: str, *, losses: int) -> None:
        parts = urlsplit(target)
        self._target = (str(parts.hostname), parts.port or 80)
        self._losses = losses
        self.lost = 0
        self._relays: list[asyncio.Task[None]] = []
        self.url = ""

    async def __aenter__(self) -> Self:
        self._server = await asyncio.start_server(self._relay, "127.0.0.1", 0)
        port = self._server.sockets[0].getsockname()[1]
        self.url = f"http://127.0.0.1:{port}"
        return self

    async def __aexit__(self, *_error: object) -> None:
        self._server.close()
        await self._server.wait_closed()
        await asyncio.gather(*self._relays)

    async def _relay(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        relay = asyncio.current_task()
        assert relay is not None
        self._relays.append(relay)
        far_reader, far_writer = await asyncio.open_connection(*self._target)
        ways = [
            asyncio.create_task(_copy(reader, far_writer)),
            asyncio.create_task(self._hear(far_reader, writer)),
        ]
        await asyncio.wait(ways, return_when=asyncio.FIRST_COMPLETED)
        for way in ways:
            way.cancel()
        await asyncio.gather(*ways, return_exceptions=True)
        for each in (writer, far_writer):
            each.close()
            with contextlib.suppress(ConnectionError):
                await each.wait_closed()

    async def _hear(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        while answer := await reader.read(65536):
            if self.lost < self._losses:
                self.lost += 1
                return
            writer.write(answer)
            await writer.drain()


async def _copy(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    with contextlib.suppress(ConnectionError):
        while content := await reader.read(65536):
            writer.write(content)
            await writer.drain()
