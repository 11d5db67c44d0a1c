"""One page of a list, and the wish for the next one."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Generic, TypedDict, TypeVar

from precis.client.summary import Status

Item = TypeVar("Item")


@dataclass(frozen=True, slots=True, kw_only=True)
class Page(Generic[Item]):
    items: tuple[Item, ...]
    next_cursor: str | None
    """None on the last page."""


class ListOptions(TypedDict, total=False):
    """What a list of summaries may be asked for; all of it must hold."""

    status: Status | Sequence[Status]
    created_from: datetime
    created_before: datetime
    metadata: Mapping[str, str]
    page_size: int
    """1 to 100; how many are fetched at a time, not how many come."""
