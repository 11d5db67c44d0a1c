"""Which summaries a list shows: its query parameters turned into a filter.

The same filters are part of the signature of a cursor, so that a cursor never goes
on with another question than its own. Limit and cursor are read by the list itself.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final
from uuid import UUID

from gateway.requests.query_parameters import (
    read_moment,
    read_parameters,
    refuse_parameter,
)
from jobs.lifecycle import State
from jobs.store.job_store import JobFilter

STATUSES: Final = ("queued", "running", "succeeded", "failed", "cancelled", "expired")
_MOMENTS: Final = ("created_from", "created_before")
_SINGLE: Final = (*_MOMENTS, "limit", "cursor")
_MAX_METADATA: Final = 16
_MAX_KEY: Final = 64
_MAX_VALUE: Final = 512

Parameters = Sequence[tuple[str, str]]


@dataclass(frozen=True, slots=True, kw_only=True)
class ListFilters:
    statuses: tuple[str, ...]
    created_from: datetime | None
    created_before: datetime | None
    metadata: tuple[tuple[str, str], ...]

    def signed(self) -> dict[str, Any]:
        """What a cursor is bound to."""
        return {
            "status": self.statuses,
            "created_from": self.created_from and self.created_from.isoformat(),
            "created_before": self.created_before and self.created_before.isoformat(),
            "metadata": self.metadata,
        }

    def wanted(self, before_id: UUID | None) -> JobFilter:
        return JobFilter(
            states=[state for status in self.statuses for state in _states(status)],
            created_from=self.created_from,
            created_before=self.created_before,
            metadata=self.metadata,
            before_id=before_id,
        )


def read_filters(parameters: Parameters) -> tuple[ListFilters, dict[str, str]]:
    """The filters, and what the list itself reads: limit and cursor."""
    single = read_parameters(
        [pair for pair in parameters if not _may_repeat(pair[0])], known=_SINGLE
    )
    moments = {
        name: read_moment(name, single.pop(name)) for name in _MOMENTS if name in single
    }
    created_from, created_before = (moments.get(name) for name in _MOMENTS)
    if created_from and created_before and created_from >= created_before:
        raise refuse_parameter("invalid_parameter", "created_before")
    filters = ListFilters(
        statuses=_read_statuses(parameters),
        created_from=created_from,
        created_before=created_before,
        metadata=_read_metadata(parameters),
    )
    return filters, single


def _may_repeat(name: str) -> bool:
    return name == "status" or (name.startswith("metadata[") and name.endswith("]"))


def _read_statuses(parameters: Parameters) -> tuple[str, ...]:
    asked = {value for name, value in parameters if name == "status"}
    if not asked <= set(STATUSES):
        raise refuse_parameter("invalid_parameter", "status")
    return tuple(sorted(asked))


def _read_metadata(parameters: Parameters) -> tuple[tuple[str, str], ...]:
    pairs = sorted(
        (name.removeprefix("metadata[").removesuffix("]"), value)
        for name, value in parameters
        if name != "status" and _may_repeat(name)
    )
    if len(pairs) > _MAX_METADATA or not all(_could_match(*pair) for pair in pairs):
        raise refuse_parameter("invalid_parameter", "metadata")
    return tuple(pairs)


def _could_match(key: str, value: str) -> bool:
    # Postgres has no text with a NUL, and no job has longer metadata.
    is_short = 1 <= len(key) <= _MAX_KEY and len(value) <= _MAX_VALUE
    return is_short and "\0" not in key + value


def _states(status: str) -> tuple[State, ...]:
    """A job that waits for its next attempt is shown, and so found, as queued."""
    if status == "queued":
        return (State.QUEUED, State.RETRY_WAIT)
    return (State(status),)
