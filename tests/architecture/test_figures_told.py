"""The page of figures is what its generator writes now, and each fault has its test."""

from pathlib import Path

from tests.figures.matrix import CELLS, find_misnamed, find_proofs
from tests.figures.not_here import NOT_HERE
from tests.figures.writing import PAGE, write_page

ROOT = Path(__file__).resolve().parents[2]


def test_the_page_is_what_would_be_written_now() -> None:
    assert (ROOT / PAGE).read_text() == write_page(ROOT), (
        "write it anew: python -m tests.figures"
    )


def test_each_fault_has_its_test_or_the_reason_why_there_is_none() -> None:
    told = find_proofs(ROOT).keys() | NOT_HERE.keys()
    assert [cell for cell in CELLS if cell not in told] == []


def test_no_cell_has_both_a_test_and_a_reason_for_having_none() -> None:
    assert find_proofs(ROOT).keys() & NOT_HERE.keys() == set()


def test_a_test_of_a_fault_names_a_cell_that_exists() -> None:
    assert find_misnamed(ROOT) == []
