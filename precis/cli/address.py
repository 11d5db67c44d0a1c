"""Where the service is and which key to show: the only place that looks it up.

PRECIS_URL and PRECIS_API_KEY win; without them the file that `precis up` leaves in its
data folder says both. A key from that file is shown to nobody but the service that
the file names.
"""

import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Final

import typer
from pydantic import SecretStr

from plumbing.settings import ServiceSettings, read_settings
from precis.cli.exits import CommandRefused, Exit
from precis.client.blocking import Client
from precis.client.retrying import Patience

DEFAULT_DATA: Final = Path(".precis")
DataOption = Annotated[
    Path,
    typer.Option("--data", metavar="DIR", help="The data folder of `precis up`."),
]
# A person waits: a service that is away is told after seconds, not after a minute.
_PATIENCE: Final = Patience(attempts=5)


class AddressSettings(ServiceSettings):
    url: str | None = None
    api_key: SecretStr | None = None


@dataclass(frozen=True, slots=True)
class Address:
    url: str
    api_key: str = field(repr=False)


def open_client(data: Path) -> Client:
    """A client of the service that the environment or the data folder names."""
    address = find_address(read_settings(AddressSettings), data=data)
    try:
        return Client(address.url, address.api_key, patience=_PATIENCE)
    except ValueError as error:
        raise CommandRefused(
            f"PRECIS_URL or PRECIS_API_KEY is not usable: {error}.", status=Exit.USAGE
        ) from error


def find_address(settings: AddressSettings, *, data: Path) -> Address:
    key = settings.api_key.get_secret_value().strip() if settings.api_key else None
    if settings.url and key:
        return Address(settings.url, key)
    if settings.url:
        raise CommandRefused(
            "PRECIS_URL is set but PRECIS_API_KEY is not. Set it to a key of that "
            "service; `precis admin key create TENANT` makes one there.",
            status=Exit.NOT_SIGNED_IN,
        )
    ready = _read_ready(data / "ready.json")
    return Address(ready.url, key or ready.api_key)


def _read_ready(file: Path) -> Address:
    try:
        ready = json.loads(file.read_text(encoding="utf-8"))
        return Address(ready["url"], ready["api_key"])
    except FileNotFoundError:
        raise CommandRefused(
            f"No service is named: PRECIS_URL and PRECIS_API_KEY are not set, and "
            f"there is no {file}. Start one with `precis up`, set both variables, or "
            "name the data folder of a running one with --data.",
            status=Exit.NOT_REACHABLE,
        ) from None
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise CommandRefused(
            f"{file} cannot be read ({type(error).__name__}). It belongs to who runs "
            "`precis up`; set PRECIS_URL and PRECIS_API_KEY instead.",
            status=Exit.NOT_REACHABLE,
        ) from error
