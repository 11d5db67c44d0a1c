"""What of our processes is still there when all of them have been stopped."""

from pathlib import Path

import psutil

from tests.chaos.checker import Leftovers


def find_leftovers(*, mark: str, scratch: Path) -> Leftovers:
    """Processes are known by a mark in their environment, files by their folder."""
    return Leftovers(
        all_stopped=True,
        processes=[_told(each) for each in psutil.process_iter() if _bears(each, mark)],
        files=[path.name for path in scratch.rglob("*") if path.is_file()],
    )


def _bears(process: psutil.Process, mark: str) -> bool:
    try:
        return process.environ().get("CHAOS_RUN") == mark
    except (psutil.Error, OSError):
        return False  # gone, or somebody else's


def _told(process: psutil.Process) -> str:
    return f"{process.pid} {process.name()}"
