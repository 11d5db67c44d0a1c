"""A job as it is read: frozen, without text or summary. Changing one is `operations`' part."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from jobs.lifecycle import FINAL, State


@dataclass(frozen=True, slots=True, kw_only=True)
class Progress:
    """How many chunks and merges are done; counted from their rows."""

    chunks_done: int
    chunks_total: int
    merges_done: int
    merges_total: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Job:
    id: UUID
    tenant_id: UUID
    state: State
    version: int
    attempt: int
    deadline: datetime
    cancel_requested: bool
    tier: str
    routing_reason: str
    tokens: int
    threshold: int
    characters: int
    options: dict[str, Any]
    metadata: dict[str, str]
    created_at: datetime
    started_at: datetime | None
    finished_at: datetime | None
    prompt_tokens: int | None
    completion_tokens: int | None
    provenance: dict[str, Any] | None
    coverage: float | None
    warnings: tuple[str, ...]
    error_code: str | None
    erased_at: datetime | None
    progress: Progress

    @property
    def is_final(self) -> bool:
        return self.state in FINAL
