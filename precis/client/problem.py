"""Problem documents (RFC 9457) as the service sends them, and failed jobs carry them.

One reader serves error answers, the `error` of a job and webhooks. An answer that a
proxy made, without such a document, still becomes a `Problem`, from its status alone.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any


@dataclass(frozen=True, slots=True)
class FieldProblem:
    """What is wrong with one field; `pointer` is a JSON pointer into the request."""

    pointer: str
    code: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Problem:
    code: str
    """Stable, for programs; `title` and `detail` are for people and may change."""
    title: str
    detail: str
    status: int | None
    type: str | None = None
    instance: str | None = None
    request_id: str | None = None
    errors: tuple[FieldProblem, ...] = ()
    is_retryable: bool = False

    def __str__(self) -> str:
        fields = "; ".join(f"{each.pointer}: {each.code}" for each in self.errors)
        told = f"{self.title} ({self.code})"
        parts = (told, self.detail.rstrip("."), fields)
        return ". ".join(part for part in parts if part)


def read_problem(body: Mapping[str, Any], *, status: int | None = None) -> Problem:
    """The problem in a decoded document; lacking members fall back to the status."""
    status = _whole(body.get("status"), status)
    title = _told(body.get("title")) or _phrase(status)
    return Problem(
        code=_told(body.get("code")) or title.lower().replace(" ", "_"),
        title=title,
        detail=_told(body.get("detail")) or "",
        status=status,
        type=_told(body.get("type")),
        instance=_told(body.get("instance")),
        request_id=_told(body.get("request_id")),
        errors=_read_fields(body.get("errors")),
        is_retryable=body.get("retryable") is True,
    )


def _read_fields(errors: Any) -> tuple[FieldProblem, ...]:
    if not isinstance(errors, list):
        return ()
    return tuple(
        FieldProblem(str(each.get("pointer", "")), str(each.get("code", "")))
        for each in errors
        if isinstance(each, Mapping)
    )


def _told(value: Any) -> str | None:
    return value if isinstance(value, str) and value else None


def _whole(value: Any, fallback: int | None) -> int | None:
    return value if isinstance(value, int) else fallback


def _phrase(status: int | None) -> str:
    try:
        return HTTPStatus(status or 0).phrase
    except ValueError:
        return f"Status {status}" if status else "Problem"
