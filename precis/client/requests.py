"""The requests of the HTTP interface, built without sending anything. Pure.

A request is made once and may be sent many times: the idempotency key and the
deadline are in it from the start, so a repeat says exactly the same.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any, Final, TypedDict
from urllib.parse import quote
from uuid import uuid4

from precis.client.page import ListOptions
from precis.client.summary import Length, Tier

_NONE: Final = timedelta(0)
_KEY_MAX: Final = 255


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """What to send, relative to the service's address."""

    method: str
    path: str
    headers: Mapping[str, str] = field(default_factory=dict)
    params: tuple[tuple[str, str], ...] = ()
    content: bytes | None = field(default=None, repr=False)
    is_repeatable: bool = True
    """Whether a second one does no harm when the first one's answer was lost."""
    wait: timedelta = _NONE
    """How long the service may take on our own wish, beside its usual time."""


class SubmitOptions(TypedDict, total=False):
    """What may be said about a summary; the service decides whatever is left out."""

    length: Length
    citations: bool
    tier: Tier
    deadline: datetime | timedelta
    """A moment with its time zone, or a span from now."""
    webhook: str
    """A URL, or the id of a registered endpoint. Without webhook and email, every
    enabled endpoint is told."""
    email: str | Sequence[str]
    metadata: Mapping[str, str]
    idempotency_key: str
    """Made up where it is left out; give one to make a repeat of yours harmless."""


def submit(
    text: str, options: SubmitOptions, *, wait: timedelta | None, is_async: bool
) -> Request:
    """Ask for a summary; `is_async` asks for the id at once, whatever the length."""
    prefer = ["respond-async"] if is_async else []
    if wait is not None:
        prefer.append(f"wait={_seconds(wait)}")
    headers = {
        "Content-Type": "application/json",
        "Idempotency-Key": _quoted_key(options.get("idempotency_key") or str(uuid4())),
    }
    if prefer:
        headers["Prefer"] = ", ".join(prefer)
    return Request(
        method="POST",
        path="/v1/summaries",
        headers=headers,
        content=encode(_submission(text, options)),
        wait=wait or _NONE,
    )


def summary(summary_id: str, *, wait: timedelta = _NONE, etag: str | None) -> Request:
    """Where a summary stands, at once or as soon as it is finished."""
    headers = {}
    if _seconds(wait):
        headers["Prefer"] = f"wait={_seconds(wait)}"
    if etag is not None:
        headers["If-None-Match"] = etag
    path = summary_path(summary_id)
    return Request(method="GET", path=path, headers=headers, wait=wait)


def cancel(summary_id: str) -> Request:
    return Request(method="POST", path=summary_path(summary_id) + "/cancel")


def delete(summary_id: str) -> Request:
    return Request(method="DELETE", path=summary_path(summary_id))


def page(path: str, options: ListOptions, *, cursor: str | None) -> Request:
    """One page of a list; the filters go along with every cursor."""
    statuses = options.get("status", ())
    each = (statuses,) if isinstance(statuses, str) else statuses
    params: list[tuple[str, str]] = [("status", status) for status in each]
    if "created_from" in options:
        params.append(("created_from", show_time(options["created_from"])))
    if "created_before" in options:
        params.append(("created_before", show_time(options["created_before"])))
    metadata = options.get("metadata", {})
    params += [(f"metadata[{key}]", value) for key, value in metadata.items()]
    if "page_size" in options:
        params.append(("limit", str(options["page_size"])))
    if cursor is not None:
        params.append(("cursor", cursor))
    return Request(method="GET", path=path, params=tuple(params))


def get(path: str) -> Request:
    return Request(method="GET", path=path, headers={"Accept": "application/json"})


def change(method: str, path: str, body: Mapping[str, Any] | None = None) -> Request:
    """A change without a key of its own: repeated only if it surely did not arrive."""
    content = None if body is None else encode(body)
    headers = {} if body is None else {"Content-Type": "application/json"}
    return Request(
        method=method,
        path=path,
        headers=headers,
        content=content,
        is_repeatable=False,
    )


def summary_path(summary_id: str) -> str:
    return "/v1/summaries/" + quote(summary_id, safe="")


def encode(body: Mapping[str, Any]) -> bytes:
    # A lone surrogate goes out as it is: the service refuses it with its own words.
    return json.dumps(body, ensure_ascii=False).encode("utf-8", "surrogatepass")


def show_time(moment: datetime) -> str:
    """RFC 3339 in UTC; a moment without a zone is refused rather than guessed."""
    if moment.tzinfo is None:
        raise ValueError("the time has no time zone; use datetime.now(UTC) + ...")
    return moment.astimezone(UTC).isoformat().replace("+00:00", "Z")


def _submission(text: str, options: SubmitOptions) -> dict[str, Any]:
    body: dict[str, Any] = {"text": text}
    wishes = {
        name: value
        for name, value in options.items()
        if name in {"length", "citations"} and value is not None
    }
    if wishes:
        body["options"] = wishes
    if "tier" in options:
        body["tier"] = options["tier"]
    if "deadline" in options:
        body["deadline"] = _deadline(options["deadline"])
    if "webhook" in options or "email" in options:
        body["delivery"] = _delivery(options)
    if "metadata" in options:
        body["metadata"] = dict(options["metadata"])
    return body


def _delivery(options: SubmitOptions) -> dict[str, Any]:
    delivery: dict[str, Any] = {}
    if "webhook" in options:
        target = options["webhook"]
        is_endpoint = target.startswith("we_")
        delivery["webhook"] = {"endpoint_id": target} if is_endpoint else target
    if "email" in options:
        mail = options["email"]
        delivery["email"] = [mail] if isinstance(mail, str) else list(mail)
    return delivery


def _deadline(wish: datetime | timedelta) -> str:
    return show_time(datetime.now(UTC) + wish if isinstance(wish, timedelta) else wish)


def _quoted_key(key: str) -> str:
    """The key as a structured field string (RFC 8941)."""
    if not (key.isascii() and key.isprintable() and len(key) <= _KEY_MAX):
        raise ValueError("an idempotency key is 1 to 255 printable ASCII characters")
    escaped = key.replace("\\", "\\\\").replace('"', '\\"')
    return f'"{escaped}"'


def _seconds(span: timedelta) -> int:
    """Whole seconds, rounded down: that is all a preference can say."""
    return int(span.total_seconds())
