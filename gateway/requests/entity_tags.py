"""Entity tags of a job, so that polling costs an empty answer while nothing changes.

Pure. Two answers have the same tag only if they have the same bytes: the version
counts every change of the job, the progress those of its chunks.
"""

from typing import Final

from jobs.job import Job

_ANY: Final = "*"


def tag_of(job: Job) -> str:
    progress = job.progress
    counts = (
        job.version,
        progress.chunks_done,
        progress.chunks_total,
        progress.merges_done,
        progress.merges_total,
    )
    return '"' + ".".join(str(count) for count in counts) + '"'


def matches(if_none_match: str | None, tag: str) -> bool:
    """Whether the caller has this answer already (weak comparison, RFC 9110)."""
    if if_none_match is None:
        return False
    known = [part.strip().removeprefix("W/") for part in if_none_match.split(",")]
    return tag in known or known == [_ANY]
