"""What of a job is sealed, and under which label: text, chunk results, summary, citations.

The label binds a box to its job and place, so that a box copied to another row
does not open.
"""

import json
from typing import Any
from uuid import UUID

from plumbing.sealing import DataKey, MasterKey


class JobSeal:
    """Seals and opens what belongs to one job."""

    def __init__(self, job_id: UUID, key: DataKey) -> None:
        self._job = job_id.hex
        self._key = key

    @classmethod
    def unwrap(cls, job_id: UUID, wrapped: bytes, master: MasterKey) -> "JobSeal":
        return cls(job_id, master.unwrap(wrapped, label=f"job-key:{job_id.hex}"))

    def wrapped(self, master: MasterKey) -> bytes:
        return master.wrap(self._key, label=f"job-key:{self._job}")

    def seal_text(self, text: str) -> bytes:
        return self._key.seal(text.encode(), label=f"text:{self._job}")

    def open_text(self, box: bytes) -> str:
        return self._key.open(box, label=f"text:{self._job}").decode()

    def seal_chunk(self, result: str, *, stage: int, idx: int) -> bytes:
        label = f"chunk:{self._job}:{stage}:{idx}"
        return self._key.seal(result.encode(), label=label)

    def open_chunk(self, box: bytes, *, stage: int, idx: int) -> str:
        return self._key.open(box, label=f"chunk:{self._job}:{stage}:{idx}").decode()

    def seal_summary(self, summary: str) -> bytes:
        return self._key.seal(summary.encode(), label=f"summary:{self._job}")

    def open_summary(self, box: bytes) -> str:
        return self._key.open(box, label=f"summary:{self._job}").decode()

    def seal_citations(self, citations: list[dict[str, Any]]) -> bytes:
        plain = json.dumps(citations, separators=(",", ":")).encode()
        return self._key.seal(plain, label=f"citations:{self._job}")

    def open_citations(self, box: bytes) -> list[dict[str, Any]]:
        plain = self._key.open(box, label=f"citations:{self._job}")
        citations: list[dict[str, Any]] = json.loads(plain)
        return citations
