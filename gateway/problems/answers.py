"""From an exception to a problem document (RFC 9457), for every endpoint alike.

An endpoint raises `RequestRefused` or lets a `JobError` pass; here they get status,
words and headers. Nothing a caller sent is repeated but the path.
"""

import json
import random
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from math import ceil
from typing import Any, Final

from fastapi import FastAPI, Request, Response
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect
from starlette.routing import Match
from starlette.types import Scope

from gateway.metrics import TURNED_AWAY
from gateway.problems.catalogue import CODE_OF_ERROR, PROBLEMS
from jobs.errors import JobError, KeyOutstanding
from jobs.messages.problem import problem_type
from plumbing.database import DatabaseUnavailable, StorageFull

MEDIA_TYPE: Final = "application/problem+json"
_CODE_OF_STATUS: Final = {
    400: "malformed_request",
    404: "not_found",
    405: "method_not_allowed",
}
_CLIENT_CLOSED_REQUEST: Final = 499  # nginx's number; nobody is left to read it
_random: Final = random.Random()  # noqa: S311  only keeps callers apart


@dataclass(frozen=True, slots=True)
class Fault:
    """One place in the request that is wrong: a JSON pointer and a code."""

    pointer: str
    code: str
    expected: str | None = None
    """What would be right, in words of ours, where that can be said shortly."""

    def told(self) -> dict[str, str]:
        told = {"pointer": self.pointer, "code": self.code}
        return told if self.expected is None else told | {"expected": self.expected}


class RequestRefused(Exception):
    """The gateway refuses the request itself; `code` is a key of `PROBLEMS`.

    `figures` fill the braces of the remedy: limits and sizes, never texts. `members`
    are added to the document (RFC 9457's extensions).
    """

    def __init__(
        self,
        code: str,
        *,
        faults: Sequence[Fault] = (),
        headers: Mapping[str, str] | None = None,
        figures: Mapping[str, int | str] | None = None,
        members: Mapping[str, Any] | None = None,
    ) -> None:
        super().__init__(code)
        self.code = code
        self.faults = tuple(faults)
        self.headers = dict(headers or {})
        self.figures = dict(figures or {})
        self.members = dict(members or {})


def field_refused(code: str, pointer: str, **figures: int | str) -> RequestRefused:
    """What to raise for the value at a JSON pointer."""
    return RequestRefused(code, faults=[Fault(pointer, code)], figures=figures)


def retry_after(seconds: float) -> str:
    """A Retry-After of at least a second, scattered so that callers stay apart."""
    return str(max(1, ceil(seconds * _random.uniform(0.8, 1.2))))


def problem_response(scope: Scope, refused: RequestRefused) -> Response:
    problem = PROBLEMS[refused.code]
    path = scope.get("raw_path") or b"/"
    document: dict[str, Any] = {
        "type": problem_type(refused.code),
        "title": problem.title,
        "status": problem.status,
        "detail": problem.remedy.format_map(refused.figures),
        "instance": path.partition(b"?")[0].decode("ascii", "replace"),
        "code": refused.code,
        "request_id": scope.get("state", {}).get("request_id"),
        "errors": [fault.told() for fault in refused.faults],
        "retryable": problem.retryable,
    } | refused.members
    headers = {"Cache-Control": "no-store", **_headers_of(refused.code)}
    return Response(
        json.dumps(document),
        status_code=problem.status,
        headers=headers | refused.headers,
        media_type=MEDIA_TYPE,
    )


def _headers_of(code: str) -> dict[str, str]:
    problem = PROBLEMS[code]
    if problem.status == 401:  # noqa: PLR2004
        return {"WWW-Authenticate": 'Bearer realm="precis"'}
    if problem.retryable:
        return {"Retry-After": retry_after(2)}
    return {}


def handle_problems(app: FastAPI) -> None:
    """Register what turns each family of exceptions into a problem document."""

    async def refused(request: Request, error: RequestRefused) -> Response:
        return problem_response(request.scope, error)

    async def job_error(request: Request, error: JobError) -> Response:
        return problem_response(request.scope, _of_job_error(error))

    async def database(request: Request, error: DatabaseUnavailable) -> Response:
        is_full = isinstance(error, StorageFull)
        code = "storage_full" if is_full else "database_unavailable"
        TURNED_AWAY.labels(code).inc()
        return problem_response(request.scope, RequestRefused(code))

    async def http(request: Request, error: HTTPException) -> Response:
        return problem_response(request.scope, _of_http_error(request, error))

    async def invalid(request: Request, error: RequestValidationError) -> Response:
        return problem_response(request.scope, _of_invalid_parameters(error))

    async def left(_: Request, __: ClientDisconnect) -> Response:
        return Response(status_code=_CLIENT_CLOSED_REQUEST)

    app.add_exception_handler(ClientDisconnect, left)  # type: ignore[arg-type]
    app.add_exception_handler(RequestRefused, refused)  # type: ignore[arg-type]
    app.add_exception_handler(JobError, job_error)  # type: ignore[arg-type]
    app.add_exception_handler(DatabaseUnavailable, database)  # type: ignore[arg-type]
    app.add_exception_handler(HTTPException, http)  # type: ignore[arg-type]
    app.add_exception_handler(RequestValidationError, invalid)  # type: ignore[arg-type]


def _of_job_error(error: JobError) -> RequestRefused:
    headers = {}
    if isinstance(error, KeyOutstanding):
        headers["Retry-After"] = retry_after(error.retry_after.total_seconds())
    return RequestRefused(CODE_OF_ERROR[type(error)], headers=headers)


def _of_http_error(request: Request, error: HTTPException) -> RequestRefused:
    code = _CODE_OF_STATUS.get(error.status_code, "malformed_request")
    headers = dict(error.headers or {})
    if code == "method_not_allowed":
        headers["Allow"] = ", ".join(_allowed_methods(request))
    return RequestRefused(code, headers=headers)


def _allowed_methods(request: Request) -> list[str]:
    """All methods of the path; the router itself names those of one route only."""
    allowed: set[str] = set()
    for route in _flattened(request.app.routes):
        match, _ = route.matches(request.scope)
        if match is not Match.NONE:
            allowed |= getattr(route, "methods", None) or set()
    return sorted(allowed)


def _flattened(routes: Iterable[Any]) -> Iterator[Any]:
    """The routes themselves: FastAPI keeps included routers whole."""
    for route in routes:
        included = getattr(route, "original_router", None)
        if included is None:
            yield route
        else:
            yield from _flattened(included.routes)


def _of_invalid_parameters(error: RequestValidationError) -> RequestRefused:
    """Only declared query and path parameters come here; bodies are read by hand."""
    faults = [
        Fault("/".join(str(part) for part in entry["loc"]), "invalid_parameter")
        for entry in error.errors()
    ]
    return RequestRefused("invalid_parameter", faults=faults)
