"""Writes the mail that tells of an ended job. Pure: it composes, `smtp` sends.

No document text, no summary and nothing that a caller wrote gets into it: a fixed
subject, a fixed sentence, the job's id and a link. A repeat has the same Message-ID,
by which mailboxes show a doubled mail once.
"""

from dataclasses import dataclass
from datetime import datetime
from email.message import EmailMessage
from email.policy import SMTP
from email.utils import format_datetime
from html import escape
from typing import Final
from uuid import UUID

from jobs.ids import SUMMARY, show_id

# Up to the hard limit of a line nothing is encoded: links stay whole and readable.
_POLICY: Final = SMTP.clone(max_line_length=998)


@dataclass(frozen=True, slots=True)
class _Wording:
    subject: str
    sentence: str
    link: str


_WORDINGS: Final = {
    "summary.succeeded": _Wording(
        "Your summary is ready", "The text was summarized.", "Read the summary"
    ),
    "summary.failed": _Wording(
        "Your summary could not be made",
        "The text could not be summarized. The link tells why.",
        "See why",
    ),
    "summary.expired": _Wording(
        "Your summary was not ready in time",
        "The deadline passed before the text was summarized.",
        "See the job",
    ),
    "summary.cancelled": _Wording(
        "Your summary was cancelled", "The job was cancelled.", "See the job"
    ),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Sender:
    """Who writes, and where the service is reached by those who read."""

    address: str
    public_url: str

    @property
    def domain(self) -> str:
        return self.address.rpartition("@")[2]


@dataclass(frozen=True, slots=True, kw_only=True)
class Letter:
    """What a mail says, whoever gets it: fixed sentences and one link."""

    subject: str
    sentences: tuple[str, ...]
    link_text: str
    link: str


def compose_mail(
    event_type: str,
    *,
    event_id: str,
    job_id: UUID,
    happened_at: datetime,
    receiver: str,
    sender: Sender,
) -> EmailMessage:
    wording = _WORDINGS[event_type]
    shown = show_id(SUMMARY, job_id)
    letter = Letter(
        subject=wording.subject,
        sentences=(wording.sentence, f"Job: {shown}"),
        link_text=wording.link,
        link=f"{sender.public_url.rstrip('/')}/v1/summaries/{shown}",
    )
    return compose_letter(
        letter,
        message_id=event_id,
        happened_at=happened_at,
        receiver=receiver,
        sender=sender,
    )


def compose_letter(
    letter: Letter,
    *,
    message_id: str,
    happened_at: datetime,
    receiver: str,
    sender: Sender,
) -> EmailMessage:
    mail = EmailMessage(policy=_POLICY)
    mail["From"] = sender.address
    mail["To"] = receiver
    mail["Subject"] = letter.subject
    # When it happened, not the attempt's time: a repeat is the same mail.
    mail["Date"] = format_datetime(happened_at)
    mail["Message-ID"] = f"<{message_id}@{sender.domain}>"
    mail["Auto-Submitted"] = "auto-generated"
    said = "\n\n".join(letter.sentences)
    mail.set_content(f"{said}\n\n{letter.link_text}: {letter.link}\n")
    mail.add_alternative(_html(letter), subtype="html")
    return mail


def _html(letter: Letter) -> str:
    said = "".join(f"<p>{escape(sentence)}</p>\n" for sentence in letter.sentences)
    return (
        '<!doctype html>\n<html lang="en">\n'
        f"<head><title>{escape(letter.subject)}</title></head>\n<body>\n"
        f"{said}"
        f'<p><a href="{escape(letter.link)}">{escape(letter.link_text)}</a></p>\n'
        "</body>\n</html>\n"
    )
