"""The mail as a mail program parses it."""

from datetime import UTC, datetime
from email import message_from_bytes
from email.message import EmailMessage
from email.policy import default
from typing import Any
from uuid import UUID

import pytest

from notifier.mail import Sender, compose_mail

JOB = UUID(int=7)
SENDER = Sender(address="precis@mail.example.com", public_url="https://precis.example/")


def compose(**changes: Any) -> EmailMessage:
    values: dict[str, Any] = {
        "event_id": "evt_7",
        "job_id": JOB,
        "happened_at": datetime(2026, 11, 21, 8, 30, tzinfo=UTC),
        "receiver": "ada@example.com",
        "sender": SENDER,
    } | changes
    mail = compose_mail(values.pop("event_type", "summary.succeeded"), **values)
    return message_from_bytes(mail.as_bytes(), policy=default)


def test_it_has_exactly_our_headers() -> None:
    headers = dict(compose().items())
    assert headers.pop("Content-Type").startswith("multipart/alternative")
    assert headers == {
        "From": "precis@mail.example.com",
        "To": "ada@example.com",
        "Subject": "Your summary is ready",
        "Date": "Sat, 21 Nov 2026 08:30:00 +0000",
        "Message-ID": "<evt_7@mail.example.com>",
        "Auto-Submitted": "auto-generated",
        "MIME-Version": "1.0",
    }


def test_both_parts_link_to_the_job() -> None:
    plain, html = list(compose().iter_parts())
    link = f"https://precis.example/v1/summaries/sum_{JOB.hex}"
    assert plain.get_content_type() == "text/plain"
    assert link in plain.get_content()
    assert html.get_content_type() == "text/html"
    assert f'<a href="{link}">' in html.get_content()


def test_a_link_stays_whole_in_the_source() -> None:
    mail = compose_mail(
        "summary.failed",
        event_id="evt_7",
        job_id=JOB,
        happened_at=datetime(2026, 11, 21, tzinfo=UTC),
        receiver="ada@example.com",
        sender=SENDER,
    )
    link = f"https://precis.example/v1/summaries/sum_{JOB.hex}"
    assert mail.as_bytes().count(link.encode()) == 2


def test_what_is_set_by_operators_is_escaped_too() -> None:
    sender = Sender(address="p@example.com", public_url='https://x.example/"><script>')
    html = list(compose(sender=sender).iter_parts())[1].get_content()
    assert "<script>" not in html


@pytest.mark.parametrize("ending", ["succeeded", "failed", "cancelled", "expired"])
def test_every_ending_has_its_words(ending: str) -> None:
    mail = compose(event_type=f"summary.{ending}")
    assert mail["Subject"].startswith("Your summary ")
