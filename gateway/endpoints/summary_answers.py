"""How a job is told to the caller who asked for it: 200 finished, 202 accepted."""

from fastapi import Request, Response
from pydantic_core import to_json

from gateway.context import Gateway
from gateway.ordering.taking import Outcome
from gateway.pacing import pause_header
from gateway.requests.own_address import own_address
from gateway.requests.preferences import Preferences
from jobs.ids import SUMMARY, show_id
from jobs.messages.job_object import job_object


def summary_answer(
    request: Request,
    outcome: Outcome,
    *,
    gateway: Gateway,
    preferences: Preferences,
) -> Response:
    """200 for a job that has ended, with its summary if it has one; else 202."""
    job = outcome.job
    document = job_object(job, summary=outcome.summary, citations=outcome.citations)
    path = f"/v1/summaries/{show_id(SUMMARY, job.id)}"
    headers = {
        "Location": own_address(request, public_url=gateway.settings.public_url) + path,
        "X-Routing-Tier": job.tier,
        "X-Routing-Reason": job.routing_reason,
        "Cache-Control": "no-store",
        "Vary": "Prefer",
        **pause_header(job),
    }
    if preferences.applied is not None:
        headers["Preference-Applied"] = preferences.applied
    if outcome.is_replay:
        headers["Idempotency-Replayed"] = "true"
    return Response(
        to_json(document),
        status_code=200 if job.is_final else 202,
        headers=headers,
        media_type="application/json",
    )
