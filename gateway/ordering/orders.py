"""A request for a summary that passed every check, and the job it becomes.

Pure. The job shown to the caller is built from the order itself, so no answer needs
a second look into the database; what is stored has the same values.
"""

from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from gateway.ordering.idempotency import Key
from gateway.ordering.routing import Route
from gateway.ordering.submission import Wanted
from jobs.job import Job, Progress
from jobs.lifecycle import State
from jobs.operations.answer import Answer
from jobs.operations.submit import NewJob

_NO_CHUNKS = Progress(chunks_done=0, chunks_total=0, merges_done=0, merges_total=0)


@dataclass(frozen=True, slots=True, kw_only=True)
class Order:
    job_id: UUID
    tenant_id: UUID
    wanted: Wanted
    receivers: dict[str, Any] | None
    tokens: int
    threshold: int
    key: Key | None
    received_at: datetime

    def new_job(self, route: Route, *, wrapped_key: bytes) -> NewJob:
        """The row that admission writes, whichever tier it takes."""
        return NewJob(
            id=self.job_id,
            tenant_id=self.tenant_id,
            tier=route.tier.value,
            routing_reason=route.reason,
            tokens=self.tokens,
            threshold=self.threshold,
            characters=len(self.wanted.text),
            options=self.wanted.options.model_dump(),
            delivery=self.receivers,
            metadata=self.wanted.metadata,
            deadline=self.wanted.deadline,
            wrapped_key=wrapped_key,
            idempotency_key=self.key.value if self.key else None,
            fingerprint=self.key.fingerprint if self.key else None,
            created_at=self.received_at,
        )


def queued_job(new: NewJob, *, created_at: datetime) -> Job:
    """The job as it stands right after its admission into batch."""
    return _job(new, State.QUEUED, created_at=created_at)


def answered_job(answer: Answer, *, created_at: datetime) -> Job:
    """The job as it stands right after a realtime answer was recorded."""
    return _job(answer.job, State.SUCCEEDED, created_at=created_at, answer=answer)


def _job(
    new: NewJob, state: State, *, created_at: datetime, answer: Answer | None = None
) -> Job:
    return Job(
        id=new.id,
        tenant_id=new.tenant_id,
        state=state,
        version=1,
        attempt=1 if answer else 0,
        deadline=new.deadline,
        cancel_requested=False,
        tier=new.tier,
        routing_reason=new.routing_reason,
        tokens=new.tokens,
        threshold=new.threshold,
        characters=new.characters,
        options=new.options,
        metadata=new.metadata,
        created_at=created_at,
        started_at=answer.started_at if answer else None,
        finished_at=answer.finished_at if answer else None,
        prompt_tokens=answer.prompt_tokens if answer else None,
        completion_tokens=answer.completion_tokens if answer else None,
        provenance=answer.provenance if answer else None,
        coverage=1.0 if answer else None,
        warnings=answer.warnings if answer else (),
        error_code=None,
        erased_at=None,
        progress=_NO_CHUNKS,
    )
