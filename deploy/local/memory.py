"""How much memory processes really take: shared pages are counted once (PSS).

The sum over a stack is then its true cost, which resident sizes overstate by every
page that Postgres's processes or Python's share. Linux only: others do not tell.
"""

from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path

import psutil

_PROC = Path("/proc")


def measure_pss(pids: Mapping[str, int]) -> dict[str, int]:
    """Bytes by name, the child processes of each included; 0 for one that is gone."""
    return {name: sum(map(_pss, _with_children(pid))) for name, pid in pids.items()}


def _with_children(pid: int) -> list[int]:
    with suppress(psutil.NoSuchProcess):
        children = psutil.Process(pid).children(recursive=True)
        return [pid, *(child.pid for child in children)]
    return []


def _pss(pid: int) -> int:
    with suppress(OSError):  # it may have ended since it was listed
        for line in (_PROC / str(pid) / "smaps_rollup").read_text().splitlines():
            if line.startswith("Pss:"):
                return int(line.split()[1]) * 1024
    return 0
