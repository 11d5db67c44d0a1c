"""How a command ends: one table of exit codes, and which error gets which, with its remedy.

`main` is the edge that uses it; commands raise and do not care. The same table stands
in `precis --help` and in docs/cli.md.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import IntEnum
from typing import Final

from precis.client.errors import (
    AnswerGarbled,
    Busy,
    Gone,
    JobFailed,
    NoResult,
    NotFinished,
    NotFound,
    NotReachable,
    PrecisError,
    Refused,
    Unauthorized,
)


class Exit(IntEnum):
    OK = 0
    JOB_FAILED = 1
    USAGE = 2
    NOT_REACHABLE = 3
    REFUSED = 4
    NOT_SIGNED_IN = 5
    NOT_FOUND = 6
    BUSY = 7
    NOT_FINISHED = 8
    NOT_DONE = 9
    INTERRUPTED = 130


MEANINGS: Final[Mapping[Exit, str]] = {
    Exit.OK: "done",
    Exit.JOB_FAILED: "a job ended without a summary, or something broke",
    Exit.USAGE: "wrong arguments, or a file that cannot be summarized",
    Exit.NOT_REACHABLE: "the service or the database does not answer",
    Exit.REFUSED: "the service refused the request",
    Exit.NOT_SIGNED_IN: "no API key, or one that is not valid",
    Exit.NOT_FOUND: "no such summary, or it was erased",
    Exit.BUSY: "the service has no room now: try again later",
    Exit.NOT_FINISHED: "there is no result yet",
    Exit.NOT_DONE: "something has to be done first: the message says what",
    Exit.INTERRUPTED: "interrupted by Ctrl-C; accepted jobs go on",
}


class CommandRefused(Exception):
    """A command that cannot be carried out; the message names the remedy."""

    def __init__(self, message: str, *, status: Exit) -> None:
        super().__init__(message)
        self.status = status


@dataclass(frozen=True, slots=True)
class Verdict:
    status: Exit
    remedy: str


_VERDICTS: Final[Mapping[type[PrecisError], Verdict]] = {
    NotReachable: Verdict(
        Exit.NOT_REACHABLE,
        "Is it running? `precis up` starts one here; PRECIS_URL names another.",
    ),
    AnswerGarbled: Verdict(
        Exit.NOT_REACHABLE, "Correct PRECIS_URL: something else answers there."
    ),
    JobFailed: Verdict(
        Exit.JOB_FAILED, "`precis result ID --partial` shows the finished sections."
    ),
    NoResult: Verdict(
        Exit.JOB_FAILED,
        "`precis status ID` tells why, `precis result ID --partial` what was finished.",
    ),
    Unauthorized: Verdict(
        Exit.NOT_SIGNED_IN,
        "Set PRECIS_API_KEY to a valid key; "
        "`precis admin key create TENANT` makes one.",
    ),
    NotFinished: Verdict(
        Exit.NOT_FINISHED,
        "`precis result ID --wait` waits for it, `precis status ID` shows how far it is.",
    ),
    NotFound: Verdict(Exit.NOT_FOUND, "`precis list` shows the summaries there are."),
    Gone: Verdict(Exit.NOT_FOUND, "Send the text again if the summary is needed."),
    Busy: Verdict(Exit.BUSY, "Try again later."),
    Refused: Verdict(Exit.REFUSED, ""),
}


def judge(error: PrecisError) -> Verdict:
    """The verdict of the closest class that has one."""
    for kind in type(error).__mro__:
        if kind in _VERDICTS:
            return _VERDICTS[kind]
    return Verdict(Exit.JOB_FAILED, "")
