"""What a benchmark leaves behind: a table to read and a JSON file to compare with.

The file says on what it was measured (commit, machine, versions, command), because a
figure without that is worth nothing.
"""

import json
import os
import platform
import subprocess
import sys
from collections.abc import Sequence
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from statistics import median
from typing import Any, Final

FOLDER: Final = Path(__file__).with_name("results")
_ROOT: Final = Path(__file__).resolve().parents[1]
_PACKAGES: Final = (
    "aiohttp", "celery", "cryptography", "fastapi", "httpx", "httpx-aiohttp",
    "kafka-python", "kombu", "psycopg", "redis", "sqlalchemy", "starlette", "uvicorn",
    "uvloop",
)  # fmt: skip


def write_results(name: str, figures: dict[str, object]) -> Path:
    FOLDER.mkdir(exist_ok=True)
    path = FOLDER / f"{name}.json"
    document = {"measured_on": _surroundings(), **figures}
    path.write_text(json.dumps(document, indent=2) + "\n", encoding="utf-8")
    return path


def summed_up(values: Sequence[float]) -> dict[str, float]:
    """Median and range: the best of several runs is never what is reported."""
    return {
        "median": round(median(values), 3),
        "min": round(min(values), 3),
        "max": round(max(values), 3),
    }


def print_table(title: str, rows: Sequence[Sequence[object]]) -> None:
    """The first row names the columns."""
    shown = [[str(cell) for cell in row] for row in rows]
    widths = [max(map(len, column)) for column in zip(*shown, strict=True)]
    print(f"\n{title}")
    for row in shown:
        cells = zip(row, widths, strict=True)
        print("  " + "  ".join(cell.ljust(width) for cell, width in cells))
    sys.stdout.flush()


def _surroundings() -> dict[str, Any]:
    return {
        "at": datetime.now(UTC).isoformat(timespec="seconds"),
        "command": ["python", "-m", "benchmarks", *sys.argv[1:]],
        "commit": _git("rev-parse", "HEAD"),
        "changed_files": len(_git("status", "--porcelain").splitlines()),
        "load_average": [round(each, 2) for each in os.getloadavg()],
        "machine": {
            "processor": _processor(),
            "cores": os.cpu_count(),
            "kernel": platform.release(),
        },
        "versions": {"python": platform.python_version()}
        | {name: version(name) for name in _PACKAGES},
    }


def _git(*arguments: str) -> str:
    answer = subprocess.run(
        ["git", *arguments], cwd=_ROOT, capture_output=True, text=True, check=False
    )
    return answer.stdout.strip()


def _processor() -> str:
    lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    names = (line.partition(":")[2].strip() for line in lines if "model name" in line)
    return next(names, platform.machine())
