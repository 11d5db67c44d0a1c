"""Where an operator's commands work: the database, and under which name they act.

The environment names the database, as for the services; without PRECIS_DATABASE_URL it
is that of the stack whose `ready.json` lies in the data folder. The actor's name goes
into the audit with everything that is done.
"""

import asyncio
import getpass
import json
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

from pydantic import SecretStr

from plumbing.database import Database
from plumbing.settings import DatabaseSettings, ServiceSettings, read_settings
from precis.cli.tables import open_database

T = TypeVar("T")
Settings = TypeVar("Settings", bound=ServiceSettings)


class ActorSettings(ServiceSettings):
    actor: str | None = None
    """Who is acting, for the audit; the system user's name where it is absent."""


@dataclass(frozen=True, slots=True)
class Operator:
    """An open database and the name to act under."""

    database: Database
    actor: str


def operate(deed: Callable[[Operator], Awaitable[T]], *, data: Path) -> T:
    """Carry out one deed on the database that is named."""

    async def with_database() -> T:
        settings = read_told(DatabaseSettings, data=data)
        async with open_database(settings) as database:
            return await deed(Operator(database, read_actor()))

    return asyncio.run(with_database())


def read_actor() -> str:
    """PRECIS_ACTOR, or the system user; a user without a name is `unknown`."""
    named = read_settings(ActorSettings).actor
    if named and named.strip():
        return named.strip()
    try:
        return getpass.getuser()
    except (KeyError, OSError):  # a number that the system has no name for
        return "unknown"


class _Named(ServiceSettings):
    database_url: SecretStr | None = None


def read_told(kind: type[Settings], *, data: Path) -> Settings:
    """The settings of the environment, or of the stack in the data folder."""
    if is_told_by_stack(data):
        return read_settings(kind, **told_by_stack(data))
    return read_settings(kind)


def is_told_by_stack(data: Path) -> bool:
    """Whether the data folder says where everything is, because nothing else does."""
    is_named = read_settings(_Named).database_url is not None
    return not is_named and (data / "ready.json").is_file()


def told_by_stack(data: Path) -> dict[str, Any]:
    """What a running `precis up` told its processes, as far as `ready.json` says it."""
    ready = read_ready(data)
    smtp_host, _, smtp_port = ready["smtp"].rpartition(":")
    told = {
        "database_url": ready["database_url"],
        "redis_url": ready["redis_url"],
        "kafka_bootstrap": ready["kafka"]["bootstrap"],
        "kafka_topic": ready["kafka"]["topic"],
        "kafka_dead_letter_topic": ready["kafka"]["dead_letter_topic"],
        "realtime_engine_urls": ready["engines"]["realtime"],
        "batch_engine_urls": ready["engines"]["batch"],
        "smtp_host": smtp_host,
        "smtp_port": smtp_port,
    }
    for name in ("master_key", "key_pepper"):
        secret = data / "secrets" / name
        if secret.is_file():
            told[name] = secret.read_text(encoding="ascii").strip()
    return told


def read_ready(data: Path) -> dict[str, Any]:
    """What a running `precis up` says of itself."""
    ready: dict[str, Any] = json.loads((data / "ready.json").read_text("utf-8"))
    return ready
