"""The customer's side of the messages: a webhook receiver and a look into the mailbox.

The receiver verifies with the official library, as a customer would, and answers 204.
"""

import asyncio
import email
import email.policy
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from email.message import EmailMessage
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from typing import Any, Final

from standardwebhooks import Webhook

_POLL_SECONDS: Final = 0.05
_PATIENCE_SECONDS: Final = 20


@dataclass(frozen=True, slots=True)
class Received:
    headers: Mapping[str, str]
    body: bytes

    def verify(self, secret: str) -> dict[str, Any]:
        """The event, if the signature is good; raises what the library raises."""
        event: dict[str, Any] = Webhook(secret).verify(self.body, dict(self.headers))
        return event


class WebhookReceiver:
    """Listens on a free port of this machine and keeps what arrives."""

    def __init__(self) -> None:
        received: list[Received] = []

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                length = int(self.headers["Content-Length"])
                headers = {name.lower(): value for name, value in self.headers.items()}
                received.append(Received(headers, self.rfile.read(length)))
                self.send_response(204)
                self.end_headers()

            def log_message(self, *_: object) -> None:
                pass

        self._received = received
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._thread = Thread(target=self._server.serve_forever, daemon=True)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._server.server_port}/hook"

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> None:
        self._server.shutdown()
        self._server.server_close()

    async def wait_for(self, summary_id: str) -> Received | None:
        """The first message about the summary; None when none came in time."""
        for _ in range(int(_PATIENCE_SECONDS / _POLL_SECONDS)):
            for message in self._received:
                if summary_id.encode() in message.body:
                    return message
            await asyncio.sleep(_POLL_SECONDS)
        return None


async def wait_for_mail(folder: Path, summary_id: str) -> EmailMessage | None:
    """The first mail about the summary; None when none came in time."""
    for _ in range(int(_PATIENCE_SECONDS / _POLL_SECONDS)):
        for mail in _read_mails(folder):
            if summary_id in plain_text(mail):
                return mail
        await asyncio.sleep(_POLL_SECONDS)
    return None


def _read_mails(folder: Path) -> Iterator[EmailMessage]:
    for path in sorted(folder.glob("*.eml")):
        mail = email.message_from_bytes(path.read_bytes(), policy=email.policy.default)
        if isinstance(mail, EmailMessage):
            yield mail


def plain_text(mail: EmailMessage) -> str:
    part = mail.get_body(preferencelist=("plain",))
    content: str = part.get_content() if part else ""
    return content
