"""Hints: small messages that say "work may be due" and never choose the job.

A Kafka record carries one job's id, a Celery message the number of jobs that it
asks a worker to claim, with ids for traces only. No text ever travels in either.
"""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final
from uuid import UUID

VERSION: Final = 1
MAX_JOBS_PER_MESSAGE: Final = 32


class HintMalformed(ValueError):
    """Not a hint of ours; no retry can heal it."""


def encode_hint(job_id: UUID) -> bytes:
    return json.dumps({"v": VERSION, "job_id": job_id.hex}).encode()


def decode_hint(value: bytes | None) -> UUID:
    """The job id of a Kafka record, or `HintMalformed`."""
    try:
        body = json.loads(value or b"")
        version, job_id = body["v"], UUID(hex=body["job_id"])
    except (ValueError, TypeError, KeyError, AttributeError, RecursionError) as error:
        raise HintMalformed(type(error).__name__) from error
    if version != VERSION:
        raise HintMalformed("unknown version")
    return job_id


@dataclass(frozen=True, slots=True)
class ClaimRequest:
    """A Celery message: claim up to so many jobs."""

    up_to: int
    job_ids: tuple[str, ...] = ()
    """For traces only."""

    def to_body(self) -> dict[str, Any]:
        return {"v": VERSION, "up_to": self.up_to, "job_ids": list(self.job_ids)}


def parse_claim_request(body: Any) -> ClaimRequest:
    """Read a Celery message's body, or raise `HintMalformed`."""
    if not isinstance(body, dict) or body.get("v") != VERSION:
        raise HintMalformed("not a claim request")
    up_to, job_ids = body.get("up_to"), body.get("job_ids")
    if type(up_to) is not int or not 1 <= up_to <= MAX_JOBS_PER_MESSAGE:
        raise HintMalformed("up_to")
    if not isinstance(job_ids, list) or not all(isinstance(i, str) for i in job_ids):
        raise HintMalformed("job_ids")
    return ClaimRequest(up_to, tuple(job_ids))


def split_claims(
    job_ids: Sequence[str], *, count: int, size: int
) -> list[ClaimRequest]:
    """Requests for `count` jobs in all, none larger than `size`."""
    return [
        ClaimRequest(min(size, count - at), tuple(job_ids[at : at + size]))
        for at in range(0, count, size)
    ]
