"""Problem documents (RFC 9457) and the reasons why a job fails.

One shape everywhere: error answers, `error` of a failed job, webhooks. It never
holds text, SQL, stack or host names.
"""

from dataclasses import dataclass
from typing import Any, Final


@dataclass(frozen=True, slots=True)
class FailureReason:
    """Why a job ended without a summary, in the words that a caller gets."""

    title: str
    detail: str
    retryable: bool


FAILURES: Final = {
    "worker_lost": FailureReason(
        "The worker was lost",
        "Five workers died or went silent while they held this job. "
        "The finished sections can be read under /partial.",
        retryable=True,
    ),
    "model_output_invalid": FailureReason(
        "The model's answers were unusable",
        "The model answered with empty, cut, repeated or garbled text each time. "
        "The finished sections can be read under /partial.",
        retryable=True,
    ),
    "input_truncated": FailureReason(
        "The engine cut the text",
        "The engine counted fewer prompt tokens than it was sent, so part of the "
        "text was not read. Set PRECIS_ENGINE_CONTEXT to the engine's real context.",
        retryable=False,
    ),
    "text_unusable": FailureReason(
        "The text cannot be summarized",
        "The engine refused the text. Nothing in it was changed; send another text.",
        retryable=False,
    ),
    "attempt_stuck": FailureReason(
        "The engine made no progress",
        "Several attempts ran out of time without finishing a section.",
        retryable=True,
    ),
    "internal_error": FailureReason(
        "Something went wrong on our side",
        "The job failed for a reason that is ours; it was logged. Send it again.",
        retryable=True,
    ),
    "ended_by_operator": FailureReason(
        "An operator ended the job",
        "It was ended by hand, as part of mending a disturbance. Send it again.",
        retryable=True,
    ),
    "deadline_exceeded": FailureReason(
        "The deadline passed",
        "The job did not finish before its deadline. The finished sections can be "
        "read under /partial.",
        retryable=True,
    ),
}


def problem_type(code: str) -> str:
    return "/problems/" + code.replace("_", "-")


def failure_problem(code: str, *, instance: str) -> dict[str, Any]:
    """The problem object that a failed or expired job carries as `error`."""
    reason = FAILURES[code]
    return {
        "type": problem_type(code),
        "title": reason.title,
        "status": None,
        "detail": reason.detail,
        "instance": instance,
        "code": code,
        "request_id": None,
        "errors": [],
        "retryable": reason.retryable,
    }
