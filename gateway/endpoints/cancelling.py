"""Cancelling: ask for the end of a job, as often as one likes.

A waiting job ends at once, a running one when its worker hears of it; one that has
ended already stays as it is. The change itself is `jobs.operations.cancel`.
"""

from fastapi import APIRouter, Request, Response
from fastapi.responses import JSONResponse

from gateway.api_models import SummaryView
from gateway.context import gateway_of
from gateway.job_access import check_not_erased, read_summary_id
from gateway.openapi import problem_responses
from gateway.pacing import pause_header
from gateway.parts.authentication import authenticate
from gateway.requests.query_parameters import read_parameters
from jobs.messages.job_object import job_object
from jobs.operations.cancel import cancel
from jobs.store.job_store import get_job

router = APIRouter(tags=["summaries"])


@router.post(
    "/v1/summaries/{summary_id}/cancel",
    response_model=SummaryView,
    response_description="The job has ended.",
    responses={
        202: {"model": SummaryView, "description": "The worker was asked."},
        **problem_responses("not_found", "gone", "unknown_parameter"),
    },
)
async def cancel_summary(request: Request, summary_id: str) -> Response:
    """Ask for the end of the job. A body is not needed and not read."""
    caller = await authenticate(request)
    read_parameters(request.query_params.multi_items())
    job_id = read_summary_id(summary_id)
    async with gateway_of(request).for_tenant(caller.tenant_id) as tx:
        await cancel(tx, job_id, tenant_id=caller.tenant_id)
        job = await get_job(tx, job_id, tenant_id=caller.tenant_id)
    check_not_erased(job)
    return JSONResponse(
        job_object(job),
        status_code=200 if job.is_final else 202,
        headers={"Cache-Control": "no-store"} | pause_header(job),
    )
