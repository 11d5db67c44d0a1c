"""Writes the mail that tells an owner what went wrong with deliveries. Pure.

Fixed sentences, a count, ids of ours and a link: nothing that a caller wrote gets into
it, the endpoint's URL and description neither. A repeat has the same Message-ID.
"""

from collections.abc import Callable
from email.message import EmailMessage
from typing import Final
from uuid import UUID

from jobs.ids import ENDPOINT, show_id
from notifier.mail import Letter, Sender, compose_letter
from notifier.notice_store import ClaimedNotice

_REPLAYABLE: Final = "They can be sent again for 30 days."


def compose_notice(notice: ClaimedNotice, *, sender: Sender) -> EmailMessage:
    root = sender.public_url.rstrip("/")
    return compose_letter(
        _WRITERS[notice.reason](notice, root),
        message_id=f"notice-{notice.id.hex}",
        happened_at=notice.happened_at,
        receiver=notice.owner_email,
        sender=sender,
    )


def _exhausted(notice: ClaimedNotice, root: str) -> Letter:
    if notice.endpoint_id is None:
        where = "webhooks and mailboxes that were named with jobs"
        path = "/v1/deliveries?status=exhausted"
    else:
        where, path = _endpoint(notice.endpoint_id)
        path += "/deliveries"
    one_or_many = "delivery" if notice.count == 1 else "deliveries"
    return Letter(
        subject="Deliveries were given up",
        sentences=(
            f"{notice.count} {one_or_many} to {where} failed at the last try.",
            _REPLAYABLE,
        ),
        link_text="See which, and why",
        link=root + path,
    )


def _gone(notice: ClaimedNotice, root: str) -> Letter:
    return _disabled(notice, root, why="it answered 410 Gone")


def _only_failures(notice: ClaimedNotice, root: str) -> Letter:
    return _disabled(notice, root, why="for five days every delivery to it failed")


def _disabled(notice: ClaimedNotice, root: str, *, why: str) -> Letter:
    assert notice.endpoint_id is not None  # noqa: S101 - only endpoints are disabled
    where, path = _endpoint(notice.endpoint_id)
    return Letter(
        subject="A webhook endpoint was disabled",
        sentences=(
            f"The {where} was disabled: {why}.",
            f"Nothing is sent to it until you enable it: POST {root}{path}/enable",
            f"The deliveries that waited for it were cancelled. {_REPLAYABLE}",
        ),
        link_text="See the endpoint",
        link=root + path,
    )


def _endpoint(endpoint_id: UUID) -> tuple[str, str]:
    shown = show_id(ENDPOINT, endpoint_id)
    return f"webhook endpoint {shown}", f"/v1/webhook-endpoints/{shown}"


_WRITERS: Final[dict[str, Callable[[ClaimedNotice, str], Letter]]] = {
    "exhausted": _exhausted,
    "gone": _gone,
    "only_failures": _only_failures,
}
