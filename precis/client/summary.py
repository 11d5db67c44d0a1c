"""What the service tells about a summary, as frozen values.

They mirror the job object of the HTTP interface; `raw` keeps the whole object, with
whatever a newer service adds. How they are read from JSON is `parsing`'s part.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Final, Literal

from precis.client.problem import Problem

Tier = Literal["auto", "realtime", "batch"]
Status = Literal["queued", "running", "succeeded", "failed", "cancelled", "expired"]
Length = Literal["short", "medium", "long"] | int
"""An int is a number of words."""

FINAL: Final = frozenset({"succeeded", "failed", "cancelled", "expired"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Routing:
    """Which tier took the text, and why."""

    tier: str
    reason: str
    tokens: int
    threshold: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Progress:
    phase: str
    done: int
    total: int
    percent: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Citation:
    """A sentence of the summary and the sentence of the text that supports it.

    Offsets count code points, so they slice a Python `str` as it was sent.
    """

    sentence_index: int
    sentence_start: int
    sentence_end: int
    source_start: int
    source_end: int
    score: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Usage:
    prompt_tokens: int | None
    completion_tokens: int | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Summary:
    """A summary asked for: where it stands and, once it is read, its words."""

    id: str
    status: Status
    version: int
    tier: str
    routing: Routing
    progress: Progress
    attempt: int
    cancel_requested: bool
    created_at: datetime
    started_at: datetime | None
    finished_at: datetime | None
    deadline: datetime | None
    text: str | None = field(repr=False)
    """The summary itself. None until it is finished, and in `get` and `list`."""
    citations: tuple[Citation, ...] = field(repr=False)
    coverage: float | None
    """The share of the text that was read: 1.0 for all that succeeded."""
    usage: Usage | None
    provenance: Mapping[str, Any] | None
    warnings: tuple[str, ...]
    error: Problem | None
    metadata: Mapping[str, str]
    raw: Mapping[str, Any] = field(repr=False, compare=False)

    @property
    def is_final(self) -> bool:
        return self.status in FINAL

    @property
    def is_succeeded(self) -> bool:
        return self.status == "succeeded"


@dataclass(frozen=True, slots=True, kw_only=True)
class Result:
    """The words of a finished summary and what supports them."""

    id: str
    text: str = field(repr=False)
    citations: tuple[Citation, ...] = field(repr=False)
    coverage: float | None
    warnings: tuple[str, ...]
    raw: Mapping[str, Any] = field(repr=False, compare=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class Section:
    """The summary of one piece of the text; offsets as in `Citation`."""

    index: int
    start: int
    end: int
    summary: str = field(repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class Partial:
    """The sections finished so far, in the order of the text."""

    sections: tuple[Section, ...]
    is_complete: bool
    raw: Mapping[str, Any] = field(repr=False, compare=False)
