"""The shape of a body, checked by pydantic and refused in our own words.

Every fault gets a JSON pointer and a stable code; the values themselves are never
repeated. What the shapes are is said by the endpoints that take them.
"""

from collections.abc import Mapping
from typing import Any, Final, TypeVar

from pydantic import BaseModel, ConfigDict
from pydantic import ValidationError as Invalid

from gateway.problems.answers import Fault, RequestRefused
from gateway.requests.strict_json import escape

# The tags of unions stand in pydantic's paths; the mark tells them from members.
TAG_MARK: Final = "~"
_MAX_FAULTS: Final = 20
_CODES: Final = {"extra_forbidden": "unknown_field", "missing": "missing_field"}
_BOUNDS: Final = (
    ("expected", "{}"),
    ("ge", "at least {}"),
    ("le", "at most {}"),
    ("min_length", "at least {} long"),
    ("max_length", "at most {} long"),
)
_TYPE_ERRORS: Final = ("_type", "_parsing", "_from_float")


class RequestPart(BaseModel):
    """An object in a request: no further members, no conversion of types."""

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True)


Part = TypeVar("Part", bound=RequestPart)


def read_part(kind: type[Part], document: Any) -> Part:
    try:
        return kind.model_validate(document)
    except Invalid as invalid:
        # `from None`: the cause would hold what the caller sent.
        raise _refusal(invalid) from None


def _refusal(invalid: Invalid) -> RequestRefused:
    errors = invalid.errors(include_url=False, include_input=False)
    faults = [
        Fault(_pointer(e["loc"]), _code(e["type"]), _expected(e.get("ctx", {})))
        for e in errors[:_MAX_FAULTS]
    ]
    return RequestRefused(faults[0].code, faults=faults)


def _pointer(location: tuple[int | str, ...]) -> str:
    parts = [escape(str(part)) for part in location if not _is_mark(part)]
    return "".join(f"/{part}" for part in parts)


def _is_mark(part: int | str) -> bool:
    # "[key]" follows a member whose name itself is at fault.
    return str(part).startswith(TAG_MARK) or part == "[key]"


def _code(kind: str) -> str:
    if kind in _CODES:
        return _CODES[kind]
    return "wrong_type" if kind.endswith(_TYPE_ERRORS) else "invalid_value"


def _expected(context: Mapping[str, Any]) -> str | None:
    """What our own model asks for there; never what the caller sent."""
    bounds = (template.format(context[n]) for n, template in _BOUNDS if n in context)
    return next(bounds, None)
