"""The mail sink as a part of the stack: where it listens and where mails end up."""

from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path

from deploy.local.commands import Command, python_module
from deploy.local.data_folder import DataFolder
from deploy.local.parts import HOST, Part, greeting_ready

NAME = "smtp"


@dataclass(frozen=True, kw_only=True)
class SmtpServer:
    folder: DataFolder
    port: int

    @property
    def address(self) -> str:
        return f"{HOST}:{self.port}"

    @property
    def mail_folder(self) -> Path:
        return self.folder.of("mail")

    async def prepare(self) -> Part:
        arguments = ("--host", HOST, "--port", str(self.port))
        return Part(
            name=NAME,
            command=Command(
                argv=python_module(
                    "deploy.local.smtp_sink",
                    *arguments,
                    *("--dir", str(self.mail_folder)),
                )
            ),
            is_ready=greeting_ready(self.port, b"", greetings=(b"220",)),
            stop_within=timedelta(seconds=5),
        )
