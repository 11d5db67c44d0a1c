"""JSON of the service turned into values. Pure.

Unknown members are left alone, so that a newer service can be read; a lacking or
misshapen one means that something else answers, and raises `AnswerGarbled`.
"""

import json
from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any, TypeVar

from precis.client.endpoint import Delivery, DeliveryAttempt, WebhookEndpoint
from precis.client.erasure import ErasedStore, Erasure
from precis.client.errors import AnswerGarbled
from precis.client.page import Page
from precis.client.problem import read_problem
from precis.client.summary import (
    Citation,
    Partial,
    Progress,
    Result,
    Routing,
    Section,
    Summary,
    Usage,
)

Body = Mapping[str, Any]
T = TypeVar("T")


def parse(content: bytes, read: Callable[[Body], T]) -> T:
    """Decode an answer and read it, or raise `AnswerGarbled`."""
    try:
        return read(json.loads(content))
    # json's errors are ValueErrors; AttributeError: a list where an object belongs.
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise AnswerGarbled(
            "the answer is not what Precis sends; does the address belong to Precis?"
        ) from error


def read_summary(body: Body) -> Summary:
    return Summary(
        id=body["id"],
        status=body["status"],
        version=body["version"],
        tier=body["tier"],
        routing=Routing(**_pick(body["routing"], Routing)),
        progress=Progress(**_pick(body["progress"], Progress)),
        attempt=body["attempt"],
        cancel_requested=body["cancel_requested"],
        created_at=datetime.fromisoformat(body["created_at"]),
        started_at=_time(body["started_at"]),
        finished_at=_time(body["finished_at"]),
        deadline=_time(body["deadline"]),
        text=body["summary"],
        citations=_citations(body["citations"]),
        coverage=_coverage(body["quality"]),
        usage=Usage(**_pick(body["usage"], Usage)) if body["usage"] else None,
        provenance=body["provenance"],
        warnings=tuple(body["warnings"]),
        error=read_problem(body["error"]) if body["error"] else None,
        metadata=body["metadata"],
        raw=body,
    )


def read_result(body: Body) -> Result:
    return Result(
        id=body["id"],
        text=body["summary"],
        citations=_citations(body["citations"]),
        coverage=_coverage(body["quality"]),
        warnings=tuple(body["warnings"]),
        raw=body,
    )


def read_partial(body: Body) -> Partial:
    sections = tuple(Section(**_pick(each, Section)) for each in body["sections"])
    return Partial(sections=sections, is_complete=body["complete"], raw=body)


def read_erasure(body: Body) -> Erasure:
    return Erasure(
        id=body["id"],
        summary_id=body["summary_id"],
        requested_at=datetime.fromisoformat(body["requested_at"]),
        erased_at=datetime.fromisoformat(body["erased_at"]),
        stores=tuple(_store(each) for each in body["stores"]),
        raw=body,
    )


def read_endpoint(body: Body) -> WebhookEndpoint:
    return WebhookEndpoint(
        id=body["id"],
        url=body["url"],
        description=body["description"],
        status=body["status"],
        disabled_reason=body["disabled_reason"],
        created_at=datetime.fromisoformat(body["created_at"]),
        rotated_at=_time(body["rotated_at"]),
        secret=body.get("secret"),
    )


def read_delivery(body: Body) -> Delivery:
    times = {name: _time(body[name]) for name in ("next_at", "finished_at")}
    created = datetime.fromisoformat(body["created_at"])
    attempts = tuple(_attempt(each) for each in body.get("attempts") or ())
    made = {"created_at": created, "attempts": attempts}
    return Delivery(**(_pick(body, Delivery) | times | made))


def read_page(read: Callable[[Body], T]) -> Callable[[Body], Page[T]]:
    """A reader of pages, made from a reader of their items."""

    def read_items(body: Body) -> Page[T]:
        items = tuple(read(each) for each in body["data"])
        return Page(items=items, next_cursor=body["next_cursor"])

    return read_items


def _pick(body: Body, kind: type) -> dict[str, Any]:
    """The members that `kind` knows; a lacking one shows when it is made."""
    return {name: body[name] for name in kind.__annotations__ if name in body}


def _time(shown: str | None) -> datetime | None:
    return None if shown is None else datetime.fromisoformat(shown)


def _coverage(quality: Body | None) -> float | None:
    return None if quality is None else quality["coverage"]


def _citations(shown: list[Body] | None) -> tuple[Citation, ...]:
    return tuple(Citation(**_pick(each, Citation)) for each in shown or ())


def _store(body: Body) -> ErasedStore:
    return ErasedStore(
        store=body["store"],
        data=tuple(body["data"]),
        state=body["state"],
        gone_at=_time(body["gone_at"]),
    )


def _attempt(body: Body) -> DeliveryAttempt:
    return DeliveryAttempt(
        number=body["number"],
        started_at=datetime.fromisoformat(body["started_at"]),
        finished_at=datetime.fromisoformat(body["finished_at"]),
        code=body["code"],
        error=body["error"],
    )
