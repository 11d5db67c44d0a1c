"""What a running stack says about itself, to people and to programs.

The file names everything that somebody needs in order to use, watch or test the stack.
It holds secrets, so it is its owner's only; it appears whole, and is gone when the
stack is.
"""

import json
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path

from deploy.local.data_folder import write_private


@dataclass(frozen=True, kw_only=True)
class KafkaReady:
    bootstrap: str
    topic: str
    dead_letter_topic: str


@dataclass(frozen=True, kw_only=True)
class EnginesReady:
    realtime: str
    batch: str


@dataclass(frozen=True, kw_only=True)
class Ready:
    """The addresses hold for the whole run; only `pids` changes with a restart."""

    url: str
    api_key: str = field(repr=False)
    """Empty, like `webhook_secret`, where only servers were asked for."""
    webhook_secret: str = field(repr=False)
    database_url: str = field(repr=False)
    kafka: KafkaReady
    redis_url: str = field(repr=False)
    smtp: str
    """host:port"""
    mail_dir: str
    engines: EnginesReady
    health: Mapping[str, str]
    """By process, what to GET: 200 as long as it lives."""
    pids: Mapping[str, int]

    def as_json(self) -> str:
        return json.dumps(asdict(self), indent=2) + "\n"


def write_ready(ready: Ready, files: Iterable[Path]) -> None:
    for file in files:
        write_private(file, ready.as_json())


def remove_ready(files: Iterable[Path]) -> None:
    for file in files:
        file.unlink(missing_ok=True)
