"""The receipt of an erasure, as frozen values; how it is read from JSON is `parsing`'s part."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any


@dataclass(frozen=True, slots=True, kw_only=True)
class ErasedStore:
    """What became of the contents in one place."""

    store: str
    data: tuple[str, ...]
    state: str
    """`erased`, `never_held`, or `expiring` with the last backup."""
    gone_at: datetime | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Erasure:
    """What is gone and when, store by store; it can be read again for ever."""

    id: str
    summary_id: str
    requested_at: datetime
    erased_at: datetime
    stores: tuple[ErasedStore, ...]
    raw: Mapping[str, Any] = field(repr=False, compare=False)
