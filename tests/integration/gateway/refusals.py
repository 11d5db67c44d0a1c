"""One bad input and what it must get: the shape of the tables in test_bad_*.py.

The numbers are the lines of the project's list of bad inputs; they stand in the ids
of the tests, and `test_bad_inputs` checks that no line is missing.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import httpx
import pytest

from gateway.problems.catalogue import PROBLEMS
from tests.integration.gateway.conftest import House

CANARY = "canary-4f1d7c"
A_TEXT = (
    "The council voted on Monday to buy forty electric buses. "
    "The first of them will be delivered next spring. "
    "Older buses will be sold to neighbouring towns. "
    f"The vote was unanimous, said a speaker named {CANARY}."
)
MEMBERS = {
    "type",
    "title",
    "status",
    "detail",
    "instance",
    "code",
    "request_id",
    "errors",
    "retryable",
}


@dataclass(frozen=True, kw_only=True)
class Case:
    """A request that is refused, and how."""

    line: int
    name: str
    status: int
    code: str
    pointer: str | None = None
    method: str = "POST"
    path: str = "/v1/summaries"
    json: Any = None
    content: bytes | None = None
    headers: Mapping[str, str] = field(default_factory=dict)

    @property
    def id(self) -> str:
        return f"{self.line}-{self.name.replace(' ', '-')}"


def table(*cases: Case) -> pytest.MarkDecorator:
    """The cases as parameters, each under its line number."""
    return pytest.mark.parametrize("case", cases, ids=[case.id for case in cases])


def asked(**changes: Any) -> dict[str, Any]:
    """A request that is fine, but for the changes."""
    return {"text": A_TEXT} | changes


async def check_refused(case: Case, house: House, client: httpx.AsyncClient) -> None:
    """Send it; compare status, code and pointer; nothing is left behind or echoed."""
    before = house.row_counts()
    response = await send(case, client)
    check_problem(response, status=case.status, code=case.code, pointer=case.pointer)
    assert house.row_counts() == before


async def send(case: Case, client: httpx.AsyncClient) -> httpx.Response:
    headers = dict(case.headers)
    if case.content is not None:
        headers = {"Content-Type": "application/json"} | headers
        return await client.request(
            case.method, case.path, content=case.content, headers=headers
        )
    return await client.request(case.method, case.path, json=case.json, headers=headers)


def check_problem(
    response: httpx.Response, *, status: int, code: str, pointer: str | None = None
) -> dict[str, Any]:
    """The answer is a problem document, as complete and as silent as it should be."""
    assert response.status_code == status, response.text
    assert response.headers["content-type"] == "application/problem+json"
    problem: dict[str, Any] = response.json()
    assert problem.keys() >= MEMBERS
    assert problem["code"] == code, problem
    assert problem["status"] == status
    assert problem["type"] == "/problems/" + code.replace("_", "-")
    assert code in PROBLEMS
    assert problem["request_id"] == response.headers["x-request-id"]
    if pointer is not None:
        assert pointer in [error["pointer"] for error in problem["errors"]], problem
    assert CANARY not in response.text
    return problem
