"""A TCP server for one test: what is said on its connections is the subclass's part."""

import asyncio
from dataclasses import dataclass, field
from typing import Self


@dataclass
class Listening:
    """Every connection is a task of its own; all end with the test."""

    connections: int = field(default=0, init=False)
    _tasks: set[asyncio.Task[None]] = field(default_factory=set, init=False)
    _lines: list[asyncio.StreamWriter] = field(default_factory=list, init=False)

    async def converse(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        raise NotImplementedError

    async def __aenter__(self) -> Self:
        await self.listen(0)
        return self

    async def __aexit__(self, *_exc: object) -> None:
        await self.go_away()

    async def listen(self, port: int) -> None:
        self._server = await asyncio.start_server(self._accept, "127.0.0.1", port)

    async def go_away(self) -> None:
        """Listen no more, and cut every line."""
        self._server.close()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        for line in self._lines:
            line.transport.abort()  # a close would wait for what nobody reads
        self._lines.clear()
        await asyncio.sleep(0)

    @property
    def port(self) -> int:
        port: int = self._server.sockets[0].getsockname()[1]
        return port

    def _accept(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        self.connections += 1
        self._lines.append(writer)
        task = asyncio.get_running_loop().create_task(self.converse(reader, writer))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
