"""Writes down what a figure's test has measured, once all its assertions held.

The page of figures is made from these files alone, so that no figure is ever typed by
hand. An ordinary run of the tests writes nothing: a published figure is one that
somebody meant to measure, with PRECIS_FIGURES=1 in the environment.
"""

import json
import os
import subprocess
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

RESULTS: Final = Path(__file__).with_name("results")
SWITCH: Final = "PRECIS_FIGURES"
_ROOT: Final = Path(__file__).resolve().parents[2]

Value = bool | int | float | str
"""Of one figure; spans in seconds, their names say so."""


def record(
    *,
    figure: str,
    what: str,
    size: str,
    result: Mapping[str, Value],
    goal: str,
    command: str,
    seed: int | None = None,
) -> None:
    """Keep the result of a figure in place of its last one, where that is asked for."""
    if os.environ.get(SWITCH) != "1":
        return
    write(
        RESULTS,
        {
            "figure": figure,
            "what": what,
            "size": size,
            "seed": seed,
            "result": dict(result),
            "goal": goal,
            "command": command,
            "date": datetime.now(UTC).date().isoformat(),
            "commit": _commit(),
        },
    )


def write(folder: Path, content: Mapping[str, object]) -> Path:
    """By way of a file beside it: a reader never sees half of one."""
    folder.mkdir(exist_ok=True)
    path = folder / f"{content['figure']}.json"
    unseen = path.with_suffix(".new")
    unseen.write_text(json.dumps(content, indent=2, ensure_ascii=False) + "\n")
    unseen.rename(path)
    return path


def _commit() -> str:
    answer = subprocess.run(
        ["git", "rev-parse", "--short", "HEAD"],
        cwd=_ROOT,
        capture_output=True,
        text=True,
        check=True,
    )
    return answer.stdout.strip()
