import json
from pathlib import Path
from typing import Any

import pytest

from tests.figures import record as recording
from tests.figures.matrix import Proof, cell_of, find_proofs
from tests.figures.record import SWITCH, record, write
from tests.figures.writing import read_results, write_matrix

A_FIGURE: dict[str, Any] = {
    "figure": "F8",
    "what": "a job that kills its worker",
    "size": "1,000 jobs beside it",
    "result": {"attempts": 5, "throughput ratio": 0.97123},
    "goal": "exactly 5 attempts",
    "command": "make test-faults",
}


@pytest.fixture
def results(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(recording, "RESULTS", tmp_path)
    return tmp_path


def test_an_ordinary_run_writes_nothing(
    results: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv(SWITCH, raising=False)
    record(**A_FIGURE)
    assert list(results.iterdir()) == []


def test_a_figure_that_is_meant_is_kept_with_its_commit(
    results: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(SWITCH, "1")
    record(**A_FIGURE, seed=7)
    (path,) = results.iterdir()
    assert path.name == "F8.json"
    kept = json.loads(path.read_text())
    assert kept.items() > {"seed": 7, "result": A_FIGURE["result"]}.items()
    assert len(kept["commit"]) >= 7
    assert kept["date"].startswith("20")


def test_the_figures_stand_in_the_order_of_their_numbers(tmp_path: Path) -> None:
    for figure in ("F10", "backlog", "F2", "F1n", "F1"):
        write(tmp_path, {**A_FIGURE, "figure": figure})
    order = [each["figure"] for each in read_results(tmp_path)]
    assert order == ["F1", "F1n", "F2", "F10", "backlog"]


@pytest.mark.parametrize(
    ("name", "cell"),
    [
        ("test_fault_worker_k9", ("worker", "k9")),
        ("test_fault_engine_batch_slow_and_long", ("engine_batch", "slow")),
        ("test_fault_clock_of_a_worker", ("clock", "")),
        ("test_fault_worker_k99", None),
        ("test_fault_printer_k9", None),
    ],
)
def test_a_tests_name_says_which_cell_it_proves(
    name: str, cell: tuple[str, str] | None
) -> None:
    assert cell_of(name) == cell


def test_proofs_are_found_by_the_names_of_tests(tmp_path: Path) -> None:
    folder = tmp_path / "tests" / "faults"
    folder.mkdir(parents=True)
    (folder / "test_it.py").write_text(
        "async def test_fault_kafka_k9() -> None: ...\n"
        "class TestMore:\n    def test_fault_kafka_k9_again(self) -> None: ...\n"
        "def test_other() -> None: 'test_fault_kafka_net'\n"
    )
    assert find_proofs(tmp_path) == {
        ("kafka", "k9"): [
            Proof("tests/faults/test_it.py", "test_fault_kafka_k9"),
            Proof("tests/faults/test_it.py", "test_fault_kafka_k9_again"),
        ]
    }


def test_a_cell_links_its_test_or_tells_the_reason_or_that_it_lacks_both() -> None:
    proof = Proof("tests/faults/test_it.py", "test_fault_kafka_k9")
    lines = list(
        write_matrix({("kafka", "k9"): [proof]}, {("kafka", "term"): "so it is"})
    )
    (kafka,) = (line for line in lines if line.startswith("| Kafka"))
    assert kafka.startswith(
        "| Kafka | [test](../tests/faults/test_it.py 'test_fault_kafka_k9') | (1) |"
        " missing |"
    )
    assert lines[-1] == "1. so it is\n"
