"""Pages of a list: one entry too many is read, to know whether there is more.

The lists bring their rows and their scope; cursor, `Link` and the shape of a page
are the same for all of them.
"""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any, Final
from urllib.parse import urlencode
from uuid import UUID

from fastapi import Request
from fastapi.responses import JSONResponse

from gateway.context import Gateway
from gateway.requests.cursors import CursorInvalid, CursorSigner, ListScope
from gateway.requests.query_parameters import DEFAULT_LIMIT, MAX_LIMIT, refuse_parameter

PAGE_PARAMETERS: Final[list[dict[str, Any]]] = [
    {
        "name": "limit",
        "in": "query",
        "schema": {
            "type": "integer",
            "minimum": 1,
            "maximum": MAX_LIMIT,
            "default": DEFAULT_LIMIT,
        },
    },
    {
        "name": "cursor",
        "in": "query",
        "description": "`next_cursor` of the page before, with the same filters.",
        "schema": {"type": "string"},
    },
]


def read_cursor(
    gateway: Gateway, values: Mapping[str, str], scope: ListScope
) -> UUID | None:
    """The id after which this page begins; None for the first page."""
    shown = values.get("cursor")
    if shown is None:
        return None
    try:
        signer = CursorSigner(gateway.pepper)
        return signer.read(shown, scope, now=datetime.now(UTC))
    except CursorInvalid as error:
        raise refuse_parameter("invalid_cursor", "cursor") from error


def next_cursor(gateway: Gateway, last_id: UUID, scope: ListScope) -> str:
    signer = CursorSigner(gateway.pepper)
    return signer.issue(last_id, scope, now=datetime.now(UTC))


def list_answer(
    request: Request, data: Sequence[Any], *, cursor: str | None
) -> JSONResponse:
    """A page; `cursor` goes on with the list and is None on the last one."""
    headers = {"Cache-Control": "no-store"}
    if cursor is not None:
        headers["Link"] = f'<{_next_address(request, cursor)}>; rel="next"'
    body = {
        "object": "list",
        "data": data,
        "has_more": cursor is not None,
        "next_cursor": cursor,
    }
    return JSONResponse(body, headers=headers)


def _next_address(request: Request, cursor: str) -> str:
    """Relative to the page itself (RFC 8288), with all its other parameters."""
    kept = [pair for pair in request.query_params.multi_items() if pair[0] != "cursor"]
    return f"{request.url.path}?{urlencode([*kept, ('cursor', cursor)])}"
