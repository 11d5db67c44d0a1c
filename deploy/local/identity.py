"""Which process a number means: its id together with the moment it began.

A process id alone is given out again sooner or later, so nothing of ours is signalled
by a remembered id unless the start time still fits. Standard library only, because the
guardian runs without any package.
"""

import os
import signal
import subprocess
import sys
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

_STARTED_FIELD = 19  # of /proc/PID/stat, counted behind the command's name


@dataclass(frozen=True, kw_only=True)
class ProcessIdentity:
    pid: int
    started: str
    death_signal: int
    """What ends this process soonest without harm to its data."""

    @classmethod
    def of(cls, pid: int, *, death_signal: int) -> "ProcessIdentity":
        return cls(pid=pid, started=started_at(pid) or "", death_signal=death_signal)

    @classmethod
    def from_json(cls, value: dict[str, Any]) -> "ProcessIdentity":
        return cls(**value)

    def is_alive(self) -> bool:
        return bool(self.started) and started_at(self.pid) == self.started

    def signal_group(self, number: int) -> None:
        """Signal the process and all that stayed in its group, if it is still it."""
        if self.is_alive():
            with suppress(ProcessLookupError):
                os.killpg(self.pid, number)

    def kill_orphans(self) -> None:
        """End what the process left in its group; only for one that has just ended.

        The kernel does not give the number out again while a group bears it, so a
        group without its leader is the one that we started.
        """
        if started_at(self.pid) is None:
            with suppress(ProcessLookupError, PermissionError):
                os.killpg(self.pid, signal.SIGKILL)


def started_at(pid: int) -> str | None:
    """Tell a living process from a later one with the same id; None for neither.

    A zombie counts as dead: it holds nothing but its id.
    """
    return _started_on_linux(pid) if sys.platform == "linux" else _started_by_ps(pid)


def _started_on_linux(pid: int) -> str | None:
    try:
        stat = Path(f"/proc/{pid}/stat").read_text(encoding="ascii", errors="replace")
    except (FileNotFoundError, ProcessLookupError):
        return None
    # The name stands in brackets and may itself hold spaces and brackets.
    fields = stat.rpartition(")")[2].split()
    # Counted since the machine started, so it needs to be said which start.
    return None if fields[0] in "ZX" else f"{_boot_id()} {fields[_STARTED_FIELD]}"


def _boot_id() -> str:
    return Path("/proc/sys/kernel/random/boot_id").read_text(encoding="ascii").strip()


def _started_by_ps(pid: int) -> str | None:
    answer = subprocess.run(  # noqa: S603  the argument is a number
        ["/bin/ps", "-o", "stat=,lstart=", "-p", str(pid)],
        capture_output=True,
        text=True,
        check=False,
    )
    state, _, started = answer.stdout.strip().partition(" ")
    return None if not state or state.startswith("Z") else started.strip()
