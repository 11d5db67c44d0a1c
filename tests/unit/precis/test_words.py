"""What people read: nothing steers their terminal, every error names its remedy."""

from pathlib import Path

import pytest
import typer

from precis.cli.exits import MEANINGS, Exit, judge
from precis.cli.summarizing import parse_length
from precis.client.errors import PrecisError, Refused
from precis.client.problem import Problem, read_problem
from precis.screen.showing import harmless


@pytest.mark.parametrize(
    ("written", "shown"),
    [
        ("plain\ttext\n", "plain\ttext\n"),
        ("\x1b[31mred\x1b[0m", "[31mred[0m"),
        ("\x1b]0;title\x07", "]0;title"),
        ("over\rwritten", "overwritten"),
        ("\x9b2J", "2J"),
        ("\u202egnp.exe", "gnp.exe"),
        ("议会 é", "议会 é"),
    ],
)
def test_nothing_written_by_others_steers_the_terminal(
    written: str, shown: str
) -> None:
    assert harmless(written) == shown


def _refusals(kind: type[Refused] = Refused) -> list[type[Refused]]:
    below = [each for child in kind.__subclasses__() for each in _refusals(child)]
    return [kind, *below]


@pytest.mark.parametrize("kind", _refusals())
def test_every_refusal_has_a_status_other_than_success(kind: type[Refused]) -> None:
    verdict = judge(kind(read_problem({}, status=422)))
    assert verdict.status not in (Exit.OK, Exit.INTERRUPTED)


def test_an_error_without_a_row_is_a_failure() -> None:
    assert judge(PrecisError()).status is Exit.JOB_FAILED


def test_the_table_of_the_documents_is_that_of_the_program() -> None:
    assert set(MEANINGS) == set(Exit)
    page = Path(__file__).parents[3] / "docs" / "cli.md"
    rows = [f"| {code.value} | {meaning} |" for code, meaning in MEANINGS.items()]
    table = "\n".join(["| code | meaning |", "|---|---|", *rows])
    assert table in page.read_text(encoding="utf-8")


@pytest.mark.parametrize(("typed", "meant"), [("short", "short"), ("120", 120)])
def test_a_length_is_a_name_or_a_number(typed: str, meant: str | int) -> None:
    assert parse_length(typed) == meant


@pytest.mark.parametrize("typed", ["", "tiny", "-5", "1e3", "٣"])
def test_another_length_is_a_usage_error(typed: str) -> None:
    with pytest.raises(typer.BadParameter):
        parse_length(typed)


def test_a_problem_reads_as_one_line() -> None:
    problem = Problem(code="gone", title="It is gone", detail="Erased.", status=410)
    assert str(problem) == "It is gone (gone). Erased"
