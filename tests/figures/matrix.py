"""The fault matrix: which component meets which fault, and the tests that prove it.

A test says by its name which cell it proves: `test_fault_<row>_<column>`, with more
words behind where a cell has several. The tests are found by reading their source, so
this takes no time and needs no server. What one machine cannot produce, and why, is
told in `not_here`.
"""

import ast
import re
from collections import defaultdict
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

ROWS: Final[Mapping[str, str]] = {
    "gateway": "gateway",
    "postgres": "Postgres",
    "kafka": "Kafka",
    "redis": "Valkey (broker)",
    "limits": "rate limiter",
    "dispatcher": "dispatcher",
    "worker": "worker",
    "child": "task within a worker",
    "engine_realtime": "engine, realtime",
    "engine_batch": "engine, batch",
    "notifier": "notifier",
    "customer_endpoint": "customer's endpoint",
    "smtp_relay": "SMTP relay",
    "dns": "DNS",
}
COLUMNS: Final[Mapping[str, str]] = {
    "k9": "killed",
    "term": "told to stop",
    "stop": "frozen",
    "rst": "restarted again and again",
    "net": "cut off",
    "disk": "disk full",
    "slow": "slow",
    "garb": "garbage",
}
# Faults of a kind of their own: one cell each, outside the table.
SINGLE: Final[Mapping[str, str]] = {
    "clock": "a clock that is wrong",
    "node": "a whole machine lost",
}
Cell = tuple[str, str]
CELLS: Final[tuple[Cell, ...]] = (
    *((row, column) for row in ROWS for column in COLUMNS),
    *((row, "") for row in SINGLE),
)
_NAME: Final = re.compile(
    rf"test_fault_(?:({'|'.join(ROWS)})_({'|'.join(COLUMNS)})|({'|'.join(SINGLE)}))"
    r"(?:_|$)"
)


@dataclass(frozen=True, order=True)
class Proof:
    """One test, and where it stands."""

    path: str
    name: str


def find_proofs(root: Path) -> dict[Cell, list[Proof]]:
    """All tests below `root`/tests that are named after a cell."""
    found: dict[Cell, list[Proof]] = defaultdict(list)
    for path in sorted((root / "tests").rglob("test_*.py")):
        for name in _functions(path):
            cell = cell_of(name)
            if cell is not None:
                found[cell].append(Proof(path.relative_to(root).as_posix(), name))
    return {cell: sorted(proofs) for cell, proofs in found.items()}


def find_misnamed(root: Path) -> list[str]:
    """Tests that mean to prove a cell which does not exist."""
    return [
        name
        for path in sorted((root / "tests").rglob("test_*.py"))
        for name in _functions(path)
        if name.startswith("test_fault_") and cell_of(name) is None
    ]


def cell_of(name: str) -> Cell | None:
    match = _NAME.match(name)
    if match is None:
        return None
    return (match[1] or match[3], match[2] or "")


def _functions(path: Path) -> Iterator[str]:
    source = path.read_text()
    if "test_fault_" not in source:
        return
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            yield node.name
