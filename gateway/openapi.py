"""The OpenAPI document as it is true: keys, problems, and no schema of FastAPI's own.

Endpoints describe their own parameters and answers; what all of them share is added
here, once, when the document is first asked for.
"""

from typing import Any, Final

from fastapi import FastAPI
from fastapi.openapi.utils import get_openapi

from gateway.problem_answers import MEDIA_TYPE
from gateway.problems import PROBLEMS

_PROBLEM_SCHEMA: Final[dict[str, Any]] = {
    "type": "object",
    "required": [
        "type",
        "title",
        "status",
        "detail",
        "instance",
        "code",
        "request_id",
        "errors",
        "retryable",
    ],
    "properties": {
        "type": {"type": "string", "examples": ["/problems/unknown-field"]},
        "title": {"type": "string"},
        "status": {"type": ["integer", "null"]},
        "detail": {"type": "string"},
        "instance": {"type": "string"},
        "code": {"type": "string"},
        "request_id": {"type": ["string", "null"]},
        "errors": {
            "type": "array",
            "items": {
                "type": "object",
                "required": ["pointer", "code"],
                "properties": {
                    "pointer": {"type": "string"},
                    "code": {"type": "string"},
                },
            },
        },
        "retryable": {"type": "boolean"},
    },
}


def problem_responses(*codes: str) -> dict[int | str, dict[str, Any]]:
    """The `responses` of an endpoint that may answer with these codes."""
    responses: dict[int | str, dict[str, Any]] = {}
    for code in codes:
        problem = PROBLEMS[code]
        entry = responses.setdefault(
            problem.status,
            {
                "description": "",
                "content": {
                    MEDIA_TYPE: {"schema": {"$ref": "#/components/schemas/Problem"}}
                },
            },
        )
        entry["description"] += f"`{code}`: {problem.title}. "
    return responses


def describe(app: FastAPI) -> None:
    """Let the app answer /openapi.json with the completed document."""

    def document() -> dict[str, Any]:
        if app.openapi_schema is None:
            app.openapi_schema = _complete(
                get_openapi(title=app.title, version=app.version, routes=app.routes)
            )
        return app.openapi_schema

    app.openapi = document  # type: ignore[method-assign]


def _complete(document: dict[str, Any]) -> dict[str, Any]:
    components = document.setdefault("components", {})
    components["securitySchemes"] = {"apiKey": {"type": "http", "scheme": "bearer"}}
    schemas = components.setdefault("schemas", {})
    schemas["Problem"] = _PROBLEM_SCHEMA
    for name in ("HTTPValidationError", "ValidationError"):
        schemas.pop(name, None)
    for path, operations in document["paths"].items():
        for operation in operations.values():
            _complete_operation(operation, is_guarded=path.startswith("/v1/"))
    return document


def _complete_operation(operation: dict[str, Any], *, is_guarded: bool) -> None:
    responses = operation["responses"]
    unprocessable = responses.get("422", {}).get("content", {})
    if "application/json" in unprocessable:
        del responses["422"]  # FastAPI's own, which is never sent
    shared = ["malformed_request", "url_too_long", "internal_error"]
    if is_guarded:
        operation["security"] = [{"apiKey": []}]
        shared += ["duplicate_header", "unauthorized", "database_unavailable"]
        shared += ["invalid_parameter"] if operation.get("parameters") else []
    for status, answer in problem_responses(*shared).items():
        responses.setdefault(str(status), answer)
