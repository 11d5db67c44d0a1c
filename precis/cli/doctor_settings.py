"""Whether the settings of every process make sense, and whether Python fits.

The settings are those of the environment, or of the stack in the data folder. No value
is ever repeated: a setting is told by its name.
"""

import sys
from collections.abc import Iterator
from importlib.metadata import version
from pathlib import Path
from typing import Final

from gateway.settings import GatewaySettings
from notifier.settings import NotifierSettings
from plumbing.sealing import KeyMalformed, MasterKey
from plumbing.settings import (
    PREFIX,
    MasterKeySettings,
    ServiceSettings,
    SettingsRefused,
    list_told,
)
from precis.cli.address import AddressSettings
from precis.cli.doctor_findings import Finding, fail, ok, warn
from precis.cli.operating import ActorSettings, read_told
from realtime.engine.settings import EmbeddedEngineSettings
from workers.batch.settings import WorkerSettings
from workers.dispatcher.settings import DispatcherSettings

SERVICES: Final[dict[str, type[ServiceSettings]]] = {
    "gateway": GatewaySettings,
    "dispatcher": DispatcherSettings,
    "worker": WorkerSettings,
    "notifier": NotifierSettings,
}
_OF_TOOLS: Final[tuple[type[ServiceSettings], ...]] = (
    ActorSettings,
    AddressSettings,
    EmbeddedEngineSettings,
)
_OF_THE_STACK: Final = "PRECIS_CACHE_DIR"
_OLDEST, _TOO_NEW = (3, 11), (3, 15)


async def check_settings(data: Path) -> list[Finding]:
    return [_check_python(), *_check_services(data), *_check_keys(data)]


def _check_python() -> Finding:
    shown = f"Python {'.'.join(map(str, sys.version_info[:3]))}"
    if _OLDEST <= sys.version_info[:2] < _TOO_NEW:
        return ok("python", f"{shown}, precis {version('precis')}")
    return fail("python", shown, remedy="Install one of 3.11 to 3.14.")


def _check_services(data: Path) -> Iterator[Finding]:
    for name, kind in SERVICES.items():
        try:
            settings = read_told(kind, data=data)
        except SettingsRefused as error:
            yield fail(
                "settings",
                f"{name}: {'; '.join(str(error).splitlines())}",
                remedy="Set these variables for it; docs/settings.md explains each.",
            )
        else:
            yield _judge(name, settings)
    yield from _check_names()


def _judge(name: str, settings: ServiceSettings) -> Finding:
    if settings.environment == "test":
        return warn(
            "settings",
            f"{name}: PRECIS_ENVIRONMENT is test",
            remedy="Take it out where real work is done.",
        )
    return ok("settings", f"{name}: every setting makes sense")


def _check_names() -> Iterator[Finding]:
    """A misspelt variable is as good as none, and nothing else would tell."""
    known = {_OF_THE_STACK} | {
        (PREFIX + field).upper()
        for kind in (*SERVICES.values(), *_OF_TOOLS)
        for field in kind.model_fields
    }
    unknown = sorted(list_told() - known)
    if unknown:
        yield warn(
            "settings",
            f"nobody reads {', '.join(unknown)}",
            remedy="Correct the names; docs/settings.md lists all.",
        )


def _check_keys(data: Path) -> Iterator[Finding]:
    try:
        MasterKey(*read_told(MasterKeySettings, data=data).master_keys)
    except SettingsRefused:
        return  # told with each service that needs it
    except KeyMalformed as error:
        yield fail(
            "master key", str(error), remedy="Set the key the database was begun with."
        )
