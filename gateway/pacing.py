"""When to ask again: soon for a short text, seldom for a book.

Pure but for the jitter. There is no estimate of the remaining time yet, so the length
of the text stands for it; the scatter keeps callers that began together apart.
"""

from typing import Final

from gateway.problems.answers import retry_after
from jobs.job import Job

_TOKENS_A_SECOND: Final = 20_000
_AT_LEAST: Final = 1.0
_AT_MOST: Final = 30.0


def pause_seconds(tokens: int) -> float:
    """A second for a page, half a minute for the longest texts."""
    return min(_AT_MOST, max(_AT_LEAST, tokens / _TOKENS_A_SECOND))


def pause_header(job: Job) -> dict[str, str]:
    """`Retry-After` as long as the job has not ended."""
    if job.is_final:
        return {}
    return {"Retry-After": retry_after(pause_seconds(job.tokens))}
