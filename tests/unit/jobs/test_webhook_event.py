"""The body of a webhook."""

import json
from datetime import UTC, datetime, timedelta
from uuid import UUID

from jobs.job import Job, Progress
from jobs.lifecycle import State
from jobs.messages.webhook_event import webhook_body

ENDED = datetime(2026, 11, 21, 8, 30, 0, 123456, tzinfo=UTC)
JOB = Job(
    id=UUID(int=7),
    tenant_id=UUID(int=1),
    state=State.SUCCEEDED,
    version=5,
    attempt=1,
    deadline=ENDED + timedelta(hours=1),
    cancel_requested=False,
    tier="batch",
    routing_reason="asked",
    tokens=10,
    threshold=3000,
    characters=40,
    options={},
    metadata={"customer": "ü\u2028"},
    created_at=ENDED,
    started_at=ENDED,
    finished_at=ENDED,
    prompt_tokens=12,
    completion_tokens=3,
    provenance=None,
    coverage=1.0,
    warnings=(),
    error_code=None,
    erased_at=None,
    progress=Progress(chunks_done=1, chunks_total=1, merges_done=0, merges_total=0),
)


def test_it_is_the_job_object_without_content() -> None:
    body = json.loads(webhook_body("summary.succeeded", happened_at=ENDED, job=JOB))
    assert body["type"] == "summary.succeeded"
    assert body["timestamp"] == "2026-11-21T08:30:00.123Z"
    assert body["data"]["id"] == f"sum_{JOB.id.hex}"
    assert body["data"]["status"] == "succeeded"
    assert body["data"]["version"] == 5
    assert body["data"]["summary"] is None
    assert body["data"]["citations"] is None
    assert body["data"]["metadata"] == {"customer": "ü\u2028"}


def test_building_it_twice_gives_the_same_bytes() -> None:
    bodies = {
        webhook_body("summary.succeeded", happened_at=ENDED, job=JOB) for _ in range(2)
    }
    assert len(bodies) == 1
