"""The `Prefer` header (RFC 7240): how long a caller would wait, and whether at all.

Pure. A preference is a wish: one that is unknown or malformed is passed over, never
an error, and a longer wait than ours is cut. `applied` is what the answer says of it.
"""

import re
from dataclasses import dataclass
from datetime import timedelta
from typing import Final

MAX_WAIT_SECONDS: Final = 60
_NUMBER: Final = re.compile(r"[0-9]{1,9}")


@dataclass(frozen=True, slots=True, kw_only=True)
class Preferences:
    respond_async: bool = False
    wait: timedelta | None = None

    @property
    def applied(self) -> str | None:
        """The value of `Preference-Applied`, or None where nothing was wished."""
        parts = ["respond-async"] if self.respond_async else []
        if self.wait is not None:
            parts.append(f"wait={int(self.wait.total_seconds())}")
        return ", ".join(parts) or None


def parse_prefer(header: str | None) -> Preferences:
    """The wishes we know; of one that is given twice the first counts."""
    wishes: dict[str, str] = {}
    for part in (header or "").split(","):
        name, _, value = part.partition(";")[0].partition("=")
        wishes.setdefault(name.strip().lower(), value.strip().strip('"'))
    return Preferences(
        respond_async="respond-async" in wishes, wait=_wait(wishes.get("wait", ""))
    )


def _wait(value: str) -> timedelta | None:
    if not _NUMBER.fullmatch(value):
        return None
    return timedelta(seconds=min(int(value), MAX_WAIT_SECONDS))
