"""The table of problems: complete, and of one shape."""

import re
from collections.abc import Iterator
from typing import Final

from gateway.problems.answers import RequestRefused, problem_response
from gateway.problems.catalogue import CODE_OF_ERROR, PROBLEMS
from jobs.errors import JobError

# Whatever the braces of a remedy may ask for.
FIGURES: Final[dict[str, int | str]] = {"limit": 1, "size": 2, "header": "prefer"}


def subclasses(kind: type[JobError]) -> Iterator[type[JobError]]:
    for each in kind.__subclasses__():
        yield each
        yield from subclasses(each)


def test_every_job_error_has_a_row() -> None:
    missing = {error.__name__ for error in subclasses(JobError)} - {
        error.__name__ for error in CODE_OF_ERROR
    }
    assert not missing


def test_every_row_names_a_problem() -> None:
    assert set(CODE_OF_ERROR.values()) <= set(PROBLEMS)


def test_every_problem_can_be_told() -> None:
    for code, problem in PROBLEMS.items():
        assert re.fullmatch(r"[a-z0-9_]+", code)
        refused = RequestRefused(code, figures=FIGURES)
        answer = problem_response({"type": "http", "raw_path": b"/v1/x?y=1"}, refused)
        assert answer.status_code == problem.status
        assert b"{" not in problem.remedy.format_map(FIGURES).encode()
        assert b'"instance": "/v1/x"' in bytes(answer.body)


def test_what_may_be_repeated_says_when() -> None:
    for code, problem in PROBLEMS.items():
        refused = RequestRefused(code, figures=FIGURES)
        answer = problem_response({"type": "http"}, refused)
        assert ("retry-after" in answer.headers) == problem.retryable


def test_502_and_504_are_never_sent() -> None:
    assert {problem.status for problem in PROBLEMS.values()}.isdisjoint({502, 504})
