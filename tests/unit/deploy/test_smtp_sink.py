"""The mail sink refuses for now what it cannot keep; a relay's 5xx would be for ever."""

from pathlib import Path
from typing import Any

from aiosmtpd.smtp import Envelope

from deploy.local.smtp_sink import Mailbox


async def test_what_cannot_be_kept_is_refused_for_now(tmp_path: Path) -> None:
    folder = tmp_path / "mail"
    mailbox, envelope = Mailbox(folder), Envelope()
    nobody: Any = None
    envelope.content = b"Subject: done\r\n\r\n"
    refused = await mailbox.handle_DATA(nobody, nobody, envelope)
    assert refused.startswith("452 ")
    folder.mkdir()
    assert await mailbox.handle_DATA(nobody, nobody, envelope) == "250 OK"
    assert len(list(folder.iterdir())) == 1
