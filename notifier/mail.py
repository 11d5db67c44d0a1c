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
    link = f"{sender.public_url.rstrip('/')}/v1/summaries/{shown}"
    mail = EmailMessage(policy=_POLICY)
    mail["From"] = sender.address
    mail["To"] = receiver
    mail["Subject"] = wording.subject
    # The ending's time, not the attempt's: a repeat is the same mail.
    mail["Date"] = format_datetime(happened_at)
    mail["Message-ID"] = f"<{event_id}@{sender.domain}>"
    mail["Auto-Submitted"] = "auto-generated"
    mail.set_content(f"{wording.sentence}\n\nJob: {shown}\n{wording.link}: {link}\n")
    mail.add_alternative(_html(wording, shown=shown, link=link), subtype="html")
    return mail


def _html(wording: _Wording, *, shown: str, link: str) -> str:
    return (
        '<!doctype html>\n<html lang="en">\n'
        f"<head><title>{escape(wording.subject)}</title></head>\n<body>\n"
        f"<p>{escape(wording.sentence)}</p>\n"
        f"<p>Job: {escape(shown)}</p>\n"
        f'<p><a href="{escape(link)}">{escape(wording.link)}</a></p>\n'
        "</body>\n</html>\n"
    )
