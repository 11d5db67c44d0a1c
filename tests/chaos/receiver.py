"""The customer's webhook receiver: notes every call before it answers.

A small part of the calls is refused at first, and of some the answer is lost after
the call was noted: what is sent again must bear the same id and the same bytes.
"""

import asyncio
import hashlib
import json
import random
from contextlib import suppress
from typing import Final, Self

from tests.chaos.journal import Journal

_REFUSED: Final = 0.02
_ANSWER_LOST: Final = 0.02


class Receiver:
    def __init__(self, journal: Journal, *, seed: int) -> None:
        self._journal = journal
        self._random = random.Random(seed)
        self._troubled: set[str] = set()

    async def __aenter__(self) -> Self:
        self._server = await asyncio.start_server(self._converse, "127.0.0.1", 0)
        return self

    async def __aexit__(self, *_error: object) -> None:
        self._server.close()

    @property
    def port(self) -> int:
        port: int = self._server.sockets[0].getsockname()[1]
        return port

    async def _converse(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        with suppress(OSError, EOFError, asyncio.CancelledError):
            while True:
                headers, body = await _read(reader)
                answer = self._choose(headers["webhook-id"])
                self._note(headers["webhook-id"], body, answer)
                if answer == "lost":
                    break
                status = "204 No Content" if answer == "accepted" else "500 Trouble"
                writer.write(f"HTTP/1.1 {status}\r\nContent-Length: 0\r\n\r\n".encode())
                await writer.drain()
        writer.close()

    def _choose(self, event: str) -> str:
        """Make trouble at an event's first call only: a third try is minutes away."""
        if event in self._troubled:
            return "accepted"
        self._troubled.add(event)
        chance = self._random.random()
        if chance < _REFUSED:
            return "refused"
        return "lost" if chance < _REFUSED + _ANSWER_LOST else "accepted"

    def _note(self, event: str, body: bytes, answer: str) -> None:
        told = json.loads(body)
        self._journal.write(
            "webhook",
            event=event,
            job=told["data"]["id"],
            type=told["type"],
            version=told["data"]["version"],
            digest=hashlib.sha256(body).hexdigest(),
            answer=answer,
        )


async def _read(reader: asyncio.StreamReader) -> tuple[dict[str, str], bytes]:
    head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1")
    lines = head.rstrip().split("\r\n")[1:]
    pairs = (line.split(":", 1) for line in lines)
    headers = {name.lower().strip(): value.strip() for name, value in pairs}
    return headers, await reader.readexactly(int(headers["content-length"]))
