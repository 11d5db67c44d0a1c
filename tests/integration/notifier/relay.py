"""A mail relay that follows a script, for what the real sink never says."""

import asyncio
from dataclasses import dataclass, field

from tests.integration.notifier.listening import Listening

HANG_UP = b""

_USUAL = {
    "": b"220 relay ready\r\n",
    "EHLO": b"250 relay\r\n",
    "MAIL": b"250 OK\r\n",
    "RCPT": b"250 OK\r\n",
    "DATA": b"354 go ahead\r\n",
    ".": b"250 kept\r\n",
    "QUIT": b"221 bye\r\n",
}


@dataclass
class ScriptedRelay(Listening):
    """Answers as usual but where `says` knows better ("." ends a mail, "" greets)."""

    says: dict[str, bytes | None] = field(default_factory=dict)
    """None: it falls silent; `HANG_UP`: it closes."""
    mails: list[bytes] = field(default_factory=list)
    receivers: list[str] = field(default_factory=list)

    async def converse(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        try:
            await self._say("", writer)
            while line := await reader.readline():
                verb = line[:4].decode("ascii", "replace").upper().strip()
                if verb == "RCPT":
                    self.receivers.append(line.decode().strip())
                await self._say(verb, writer)
                if verb == "DATA":
                    self.mails.append(await reader.readuntil(b"\r\n.\r\n"))
                    await self._say(".", writer)
        except (OSError, EOFError, ConnectionAbortedError):
            pass
        finally:
            writer.close()

    async def _say(self, verb: str, writer: asyncio.StreamWriter) -> None:
        reply = self.says.get(verb, _USUAL.get(verb, b"500 what?\r\n"))
        if reply is None:
            await asyncio.sleep(3600)
            return
        if reply == HANG_UP:
            raise ConnectionAbortedError
        writer.write(reply)
        await writer.drain()
