"""What somebody saw, one JSON object a line, on disk as soon as it was seen.

The client, the receivers, the observer and the one who breaks things each keep such a
journal; the checker believes these and Postgres, and never the system's own word. A
line that was cut by a kill is left out: what it told was not told.
"""

import json
import os
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

Entry = dict[str, Any]


class Journal:
    """Appends lines; several processes may hold the same file open."""

    def __init__(self, path: Path) -> None:
        flags = os.O_WRONLY | os.O_APPEND | os.O_CREAT
        self._file = os.open(path, flags, 0o600)

    def write(self, kind: str, **what: Any) -> None:
        entry = {"at": time.time(), "kind": kind, **what}
        # One call, past all buffers: a line is there whole or not at all.
        os.write(self._file, json.dumps(entry).encode() + b"\n")

    def close(self) -> None:
        os.close(self._file)


def read_journal(path: Path) -> list[Entry]:
    """All whole lines, in their order; none where nobody wrote."""
    return list(_entries(path)) if path.exists() else []


def _entries(path: Path) -> Iterator[Entry]:
    with path.open(encoding="utf-8") as lines:
        for line in lines:
            if line.endswith("\n"):
                entry: Entry = json.loads(line)
                yield entry
