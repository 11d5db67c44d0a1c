"""The OpenAPI document as it is true: keys, problems, and no schema of FastAPI's own.

Endpoints describe their own parameters and answers; what all of them share is added
here, once, when the document is first asked for.
"""

from typing import Any, Final

from fastapi import FastAPI
from fastapi.openapi.utils import get_openapi
from pydantic import BaseModel

from gateway.api_models import Problem
from gateway.problems.answers import MEDIA_TYPE
from gateway.problems.catalogue import PROBLEMS

_SCHEMA_REF: Final = "#/components/schemas/{model}"


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


def request_body(
    kind: type[BaseModel], *, examples: dict[str, dict[str, Any]]
) -> dict[str, Any]:
    """The `openapi_extra` of an endpoint that reads its JSON by hand."""
    schema = kind.model_json_schema(ref_template=_SCHEMA_REF)
    content = {"application/json": {"schema": schema, "examples": examples}}
    return {"requestBody": {"required": True, "content": content}}


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
    schemas["Problem"] = Problem.model_json_schema(ref_template=_SCHEMA_REF)
    for name in ("HTTPValidationError", "ValidationError"):
        schemas.pop(name, None)
    for path, operations in document["paths"].items():
        for operation in operations.values():
            _complete_operation(operation, is_guarded=path.startswith("/v1/"))
            _name_models(operation, schemas)
    _lift_definitions(schemas["Problem"], schemas)
    return document


def _complete_operation(operation: dict[str, Any], *, is_guarded: bool) -> None:
    responses = operation["responses"]
    unprocessable = responses.get("422", {}).get("content", {})
    if "application/json" in unprocessable:
        del responses["422"]  # FastAPI's own, which is never sent
    shared = ["malformed_request", "uri_too_long", "internal_error"]
    if is_guarded:
        operation["security"] = [{"apiKey": []}]
        shared += ["duplicate_header", "unauthorized", "database_unavailable"]
        shared += ["invalid_parameter"] if operation.get("parameters") else []
    for status, answer in problem_responses(*shared).items():
        responses.setdefault(str(status), answer)


def _name_models(operation: dict[str, Any], schemas: dict[str, Any]) -> None:
    """Move the model of a request body to where its references point."""
    for entry in operation.get("requestBody", {}).get("content", {}).values():
        schema = entry["schema"]
        if "title" in schema:
            name = schema["title"]
            _lift_definitions(schema, schemas)
            schemas[name] = schema
            entry["schema"] = {"$ref": _SCHEMA_REF.format(model=name)}


def _lift_definitions(schema: dict[str, Any], schemas: dict[str, Any]) -> None:
    for name, definition in schema.pop("$defs", {}).items():
        schemas.setdefault(name, definition)
