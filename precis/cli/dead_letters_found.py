"""What all dead letters have in common, whichever place they lie in."""

from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Literal


@dataclass(frozen=True, slots=True, kw_only=True)
class DeadLetter:
    id: str
    """What `show` and `replay` take."""
    kind: Literal["hint", "delivery"]
    at: datetime | None
    """When it was given up."""
    error: str
    told: dict[str, Any] = field(default_factory=dict)
    """Further facts, without texts and addresses."""
    value: bytes | None = None
    """What the record held, as far as it was kept; whoever wrote it may have put
    anything there, so it is shown on demand only."""

    def as_json(self) -> dict[str, Any]:
        at = self.at and self.at.isoformat()
        common = {"id": self.id, "kind": self.kind, "at": at, "error": self.error}
        return common | self.told
