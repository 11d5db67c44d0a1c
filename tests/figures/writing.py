"""Writes docs/reliability.md from what was recorded and from the tests' own names.

Pure text out of data: what is measured is told by the figures' tests, what is proven
by the names of the tests of faults. An architecture test compares the page with what
this module would write, so it cannot drift.
"""

import json
import re
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, Final

from tests.figures.matrix import COLUMNS, ROWS, SINGLE, Cell, Proof, find_proofs
from tests.figures.not_here import NOT_HERE
from tests.figures.record import RESULTS

PAGE: Final = "docs/reliability.md"
ALL_FIGURES: Final = ("F1", "F1n", *(f"F{number}" for number in range(2, 21)))
_OPENING: Final = """\
# Reliability: what was broken, and what it cost

Precis promises that an accepted job is never lost, never ends twice and is told about
at least once. This page shows on what the promise rests: figures that were measured
while parts of the system were killed, frozen, cut off or emptied, and the matrix of
faults with the test of each.

It is written by `python -m tests.figures` from what the runs themselves wrote down and
from the names of the tests; nobody types a figure here. All of it runs on one machine
with two cores, with leases of 2 s instead of 60 s, and everything that hangs on them
in proportion. To measure again: `PRECIS_FIGURES=1` before the command of the line,
then `python -m tests.figures`.
"""
_FIGURES: Final = """
## Figures

| figure | goal | size | command | seed | result | date | commit |
|---|---|---|---|---|---|---|---|
"""
_MATRIX: Final = """
## Fault matrix

Each link leads to the tests that bring about the fault on real processes. A number
leads to the reason why there is no such test.

"""


def write_page(root: Path) -> str:
    """The whole page, for the checkout at `root`."""
    return "".join(
        (
            _OPENING,
            _FIGURES,
            *map(_figure_line, read_results(RESULTS)),
            _unmeasured(read_results(RESULTS)),
            _MATRIX,
            *write_matrix(find_proofs(root), NOT_HERE),
        )
    )


def read_results(folder: Path) -> list[dict[str, Any]]:
    """In the order of their numbers."""
    found = [json.loads(path.read_text()) for path in folder.glob("*.json")]
    return sorted(found, key=lambda each: _order(each["figure"]))


def write_matrix(
    proofs: Mapping[Cell, list[Proof]], reasons: Mapping[Cell, str]
) -> Iterable[str]:
    """The table, then the reasons that it refers to."""
    numbers = {reason: n for n, reason in enumerate(dict.fromkeys(reasons.values()), 1)}
    yield _row("component", *COLUMNS.values())
    yield _row(*["---"] * (len(COLUMNS) + 1))
    for row, title in ROWS.items():
        cells = ((row, column) for column in COLUMNS)
        yield _row(title, *(_cell(cell, proofs, reasons, numbers) for cell in cells))
    yield "\nBeside the table: "
    yield ", ".join(
        f"{title} {_cell((row, ''), proofs, reasons, numbers)}"
        for row, title in SINGLE.items()
    )
    yield ".\n\n"
    for reason, number in numbers.items():
        yield f"{number}. {reason}\n"


def _cell(
    cell: Cell,
    proofs: Mapping[Cell, list[Proof]],
    reasons: Mapping[Cell, str],
    numbers: Mapping[str, int],
) -> str:
    if cell in proofs:
        return " ".join(f"[test](../{p.path} '{p.name}')" for p in proofs[cell])
    return f"({numbers[reasons[cell]]})" if cell in reasons else "missing"


def _figure_line(found: Mapping[str, Any]) -> str:
    result = ", ".join(f"{name} {_told(v)}" for name, v in found["result"].items())
    return _row(
        f"**{found['figure']}** {found['what']}",
        found["goal"],
        found["size"],
        f"`{found['command']}`",
        "" if found["seed"] is None else str(found["seed"]),
        result,
        found["date"],
        found["commit"],
    )


def _unmeasured(found: Iterable[Mapping[str, Any]]) -> str:
    measured = {each["figure"] for each in found}
    missing = [figure for figure in ALL_FIGURES if figure not in measured]
    return f"\nNot measured yet: {', '.join(missing)}.\n" if missing else ""


def _told(value: object) -> str:
    """Figures as they are read aloud: thousands apart, no tail of digits."""
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, int):
        return f"{value:,}"
    return f"{value:.3g}" if isinstance(value, float) else str(value)


def _order(figure: str) -> tuple[int, str]:
    number = re.search(r"\d+", figure)
    return (int(number[0]) if number else 10**6, figure)


def _row(*cells: str) -> str:
    return f"| {' | '.join(cell.replace('|', '/') for cell in cells)} |\n"
