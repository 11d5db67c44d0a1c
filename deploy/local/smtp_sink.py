"""Takes every mail that is sent to it and keeps each as one .eml file.

`python -m deploy.local.smtp_sink --host H --port N --dir DIR` stands in for a mail
relay on one machine. A file appears whole, its name orders by arrival. Nothing is ever
sent on, and nothing about a mail is written to a log.
"""

import argparse
import asyncio
import signal
import time
from itertools import count
from pathlib import Path

from aiosmtpd.smtp import SMTP, Envelope, Session

_LARGEST_MAIL_BYTES = 32 * 2**20


class Mailbox:
    """The callbacks that aiosmtpd looks for by name."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._numbers = count(1)

    async def handle_DATA(  # noqa: N802  the name is aiosmtpd's
        self, _server: SMTP, _session: Session, envelope: Envelope
    ) -> str:
        content = envelope.content or b""
        try:
            self._keep(content if isinstance(content, bytes) else content.encode())
        except OSError:
            return "452 4.3.1 there is no room now, try again later"
        return "250 OK"

    def _keep(self, mail: bytes) -> None:
        name = f"{time.time_ns()}-{next(self._numbers):06}.eml"
        unfinished = self._folder / f".{name}"
        try:
            unfinished.write_bytes(mail)
            unfinished.rename(self._folder / name)
        except OSError:
            unfinished.unlink(missing_ok=True)
            raise


async def serve(host: str, port: int, folder: Path) -> None:
    loop, stop = asyncio.get_running_loop(), asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    mailbox = Mailbox(folder)
    server = await loop.create_server(
        lambda: SMTP(mailbox, hostname=host, data_size_limit=_LARGEST_MAIL_BYTES),
        host,
        port,
    )
    await stop.wait()
    server.close()


def main() -> None:
    parser = argparse.ArgumentParser(description="keep every mail as a file")
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--dir", type=Path, required=True)
    asked = parser.parse_args()
    asked.dir.mkdir(mode=0o700, parents=True, exist_ok=True)
    asyncio.run(serve(asked.host, asked.port, asked.dir))


if __name__ == "__main__":
    main()
