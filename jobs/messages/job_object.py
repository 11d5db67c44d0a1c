"""The public job object: one shape in answers, lists and webhooks.

What is not known yet is null, never absent. A job that waits for its next
attempt shows as `queued`; callers need not know why.
"""

from datetime import datetime
from typing import Any

from jobs.ids import SUMMARY, show_id
from jobs.job import Job, Progress
from jobs.lifecycle import WAITING, State
from jobs.messages.problem import failure_problem


def show_time(moment: datetime | None) -> str | None:
    """RFC 3339 in UTC with milliseconds."""
    if moment is None:
        return None
    return moment.isoformat(timespec="milliseconds").partition("+")[0] + "Z"


def job_object(
    job: Job,
    *,
    summary: str | None = None,
    citations: list[dict[str, Any]] | None = None,
) -> dict[str, Any]:
    """The object as callers see it; `summary` and `citations` where they belong."""
    shown = show_id(SUMMARY, job.id)
    path = f"/v1/summaries/{shown}"
    return {
        "id": shown,
        "object": "summary",
        "status": "queued" if job.state is State.RETRY_WAIT else job.state.value,
        "version": job.version,
        "deadline": show_time(job.deadline),
        "cancel_requested": job.cancel_requested,
        "tier": job.tier,
        "routing": {
            "tier": job.tier,
            "reason": job.routing_reason,
            "tokens": job.tokens,
            "threshold": job.threshold,
        },
        "created_at": show_time(job.created_at),
        "started_at": show_time(job.started_at),
        "finished_at": show_time(job.finished_at),
        "attempt": job.attempt,
        "progress": _progress(job.state, job.progress),
        "eta": None,
        "summary": summary,
        "citations": citations,
        "quality": None if job.coverage is None else {"coverage": job.coverage},
        "usage": _usage(job),
        "provenance": job.provenance,
        "warnings": list(job.warnings),
        "error": _error(job, path),
        "metadata": job.metadata,
        "links": {
            "self": path,
            "result": f"{path}/result",
            "partial": f"{path}/partial",
            "cancel": f"{path}/cancel",
        },
    }


def _progress(state: State, progress: Progress) -> dict[str, Any]:
    """Map work fills the first 95 percent, merging the rest; 100 is a summary."""
    done, total = progress.chunks_done, progress.chunks_total
    percent = 95 * done // total if total else 0
    if state is State.SUCCEEDED:
        phase, percent = "done", 100
    elif state is not State.RUNNING:
        phase = "waiting" if state in WAITING else "ended"
    elif total == 0:
        phase = "planning"
    elif done < total:
        phase = "mapping"
    else:
        phase = "merging"
        done, total = progress.merges_done, progress.merges_total
        percent = 95 + (4 * done // total if total else 0)
    return {"phase": phase, "done": done, "total": total, "percent": percent}


def _usage(job: Job) -> dict[str, Any] | None:
    if job.prompt_tokens is None and job.completion_tokens is None:
        return None
    return {
        "prompt_tokens": job.prompt_tokens,
        "completion_tokens": job.completion_tokens,
        "cost": None,
    }


def _error(job: Job, path: str) -> dict[str, Any] | None:
    if job.state is State.EXPIRED:
        return failure_problem("deadline_exceeded", instance=path)
    if job.error_code is None:
        return None
    return failure_problem(job.error_code, instance=path)
