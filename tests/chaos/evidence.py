"""What was seen from outside: by the client, the receivers, the observer.

A folder of journals, read into what the rules ask about. Every journal may be absent
(a failpoint test has no observer, say): the rules that need it then say nothing.

    client.jsonl    attempt{key} acknowledged{key,id} unknown{key} refused{key,status}
                    given_up{key} seen{id,state,version} asked{id,what,status}
    webhooks.jsonl  webhook{event,job,type,version,digest,answer}
    observed.jsonl  job{id,state,version,fence,attempt}
    faults.jsonl    fault{fault,target,...}
    mails/*.eml     what the mail sink took
"""

import re
from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from tests.chaos.journal import Entry, read_journal

CLIENT: Final = "client.jsonl"
WEBHOOKS: Final = "webhooks.jsonl"
OBSERVED: Final = "observed.jsonl"
FAULTS: Final = "faults.jsonl"
MAILS: Final = "mails"
_MESSAGE_ID: Final = re.compile(
    rb"^Message-ID:\s*<([^@>]+)@", re.MULTILINE | re.IGNORECASE
)


@dataclass(frozen=True)
class Evidence:
    """Everything seen, by whom it concerns."""

    folder: Path
    has_client: bool = False
    has_webhooks: bool = False
    has_mails: bool = False
    attempted: Mapping[str, list[Entry]] = field(default_factory=dict)
    """By key: every try, answered or not."""
    acknowledged: Mapping[str, set[str]] = field(default_factory=dict)
    """By key: the ids that the client was given for it."""
    told: Mapping[str, list[Entry]] = field(default_factory=dict)
    """By job: what the client read about it, or asked of it."""
    webhooks: Mapping[str, list[Entry]] = field(default_factory=dict)
    """By event."""
    mails: Mapping[str, int] = field(default_factory=dict)
    """By event: how many arrived."""
    observed: Mapping[str, list[Entry]] = field(default_factory=dict)
    """By job, in the order of time."""
    faults: list[Entry] = field(default_factory=list)


def read_evidence(folder: Path) -> Evidence:
    client = read_journal(folder / CLIENT)
    webhooks = read_journal(folder / WEBHOOKS)
    acknowledged: dict[str, set[str]] = defaultdict(set)
    for entry in client:
        if entry["kind"] == "acknowledged":
            acknowledged[entry["key"]].add(entry["id"])
    return Evidence(
        folder=folder,
        has_client=(folder / CLIENT).exists(),
        has_webhooks=(folder / WEBHOOKS).exists(),
        has_mails=(folder / MAILS).exists(),
        attempted=_by("key", client),
        acknowledged=acknowledged,
        told=_by("id", client),
        webhooks=_by("event", webhooks),
        mails=_count_mails(folder / MAILS),
        observed=_by("id", read_journal(folder / OBSERVED)),
        faults=read_journal(folder / FAULTS),
    )


def _by(name: str, entries: list[Entry]) -> dict[str, list[Entry]]:
    grouped: dict[str, list[Entry]] = defaultdict(list)
    for entry in entries:
        if entry.get(name):
            grouped[entry[name]].append(entry)
    return dict(grouped)


def _count_mails(folder: Path) -> dict[str, int]:
    counts: dict[str, int] = defaultdict(int)
    for mail in folder.glob("*.eml") if folder.exists() else ():
        for event in _MESSAGE_ID.findall(mail.read_bytes()):
            counts[event.decode()] += 1
    return dict(counts)
