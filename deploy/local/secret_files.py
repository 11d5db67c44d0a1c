"""The stack's keys and passwords: made at the first start, kept for every later one.

One file each in DIR/secrets, readable by the owner only. The tenant's two come from
the bootstrap of the database and are only kept here.
"""

import base64
import secrets
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from deploy.local.data_folder import write_private

_KEY_BYTES = 32


@dataclass(frozen=True)
class SecretFiles:
    folder: Path

    @property
    def master_key(self) -> str:
        return self._made_once("master_key", _new_key)

    @property
    def key_pepper(self) -> str:
        return self._made_once("key_pepper", _new_key)

    @property
    def postgres_password(self) -> str:
        return self._made_once("postgres_password", _new_password)

    @property
    def valkey_password(self) -> str:
        return self._made_once("valkey_password", _new_password)

    def login_password(self, kind: str) -> str:
        """The password of a process's own database user."""
        return self._made_once(f"postgres_{kind}_password", _new_password)

    def find(self, name: str) -> str | None:
        path = self.folder / name
        return path.read_text(encoding="ascii").strip() if path.exists() else None

    def keep(self, name: str, value: str) -> None:
        write_private(self.folder / name, f"{value}\n")

    def _made_once(self, name: str, make: Callable[[], str]) -> str:
        if (kept := self.find(name)) is not None:
            return kept
        self.keep(name, value := make())
        return value


def _new_key() -> str:
    return base64.b64encode(secrets.token_bytes(_KEY_BYTES)).decode("ascii")


def _new_password() -> str:
    # Hexadecimal: it stands in addresses and configuration files as it is.
    return secrets.token_hex(_KEY_BYTES // 2)
