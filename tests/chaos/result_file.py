"""What a run leaves behind: a JSON file from which the published table is written.

It says on what and how it was measured; the table of docs/reliability.md is made of
these files, so that no figure is written by hand.
"""

import json
import os
import platform
import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

_ROOT: Final = Path(__file__).resolve().parents[2]


def write_result(folder: Path, name: str, content: dict[str, Any]) -> Path:
    """One file for each kind of run and seed; the last run of both stays."""
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"{name}.json"
    document = {"name": name, "measured_on": _surroundings(), **content}
    path.write_text(json.dumps(document, indent=2, default=str) + "\n")
    return path


def _surroundings() -> dict[str, Any]:
    return {
        "at": datetime.now(UTC).isoformat(timespec="seconds"),
        "command": ["python", "-m", "tests.chaos", *sys.argv[1:]],
        "commit": _git("rev-parse", "HEAD"),
        "changed_files": len(_git("status", "--porcelain").splitlines()),
        "cores": os.cpu_count(),
        "python": platform.python_version(),
    }


def _git(*arguments: str) -> str:
    answer = subprocess.run(
        ["git", *arguments], cwd=_ROOT, capture_output=True, text=True, check=False
    )
    return answer.stdout.strip()
