"""Reading one summary: its light status, its result, and what is finished so far.

A status may be waited for and costs nothing while unchanged; the summary itself is
given under /result alone. Opening what is sealed is `job_access`'s part.
"""

from dataclasses import asdict
from datetime import timedelta
from typing import Any, Final
from uuid import UUID

from fastapi import APIRouter, Request, Response
from fastapi.responses import JSONResponse

from gateway.api_models import PartialSummary, SummaryResult, SummaryView
from gateway.context import Gateway, gateway_of
from gateway.job_access import (
    Result,
    read_job,
    read_result,
    read_sections,
    read_summary_id,
)
from gateway.openapi import problem_responses
from gateway.pacing import pause_header
from gateway.parts.authentication import authenticate
from gateway.problems.answers import RequestRefused
from gateway.requests.accepting import wants_markdown
from gateway.requests.entity_tags import matches, tag_of
from gateway.requests.preferences import MAX_WAIT_SECONDS, Preferences, parse_prefer
from gateway.requests.query_parameters import read_number, read_parameters
from jobs.errors import NoResult, NotFinished
from jobs.ids import SUMMARY, show_id
from jobs.job import Job
from jobs.lifecycle import State
from jobs.messages.job_object import job_object

_UNCHANGED: Final = 304
_STATUS_PARAMETERS: Final[list[dict[str, Any]]] = [
    {
        "name": "wait",
        "in": "query",
        "description": "Seconds to wait for the end; `Prefer: wait=n` does the same.",
        "schema": {"type": "integer", "minimum": 0, "maximum": MAX_WAIT_SECONDS},
    },
    {"name": "Prefer", "in": "header", "schema": {"type": "string"}},
    {"name": "If-None-Match", "in": "header", "schema": {"type": "string"}},
]

router = APIRouter(prefix="/v1/summaries/{summary_id}", tags=["summaries"])


@router.get(
    "",
    response_model=SummaryView,
    responses={
        304: {"description": "Nothing has changed since the answer with that `ETag`."},
        **problem_responses(
            "not_found", "gone", "unknown_parameter", "invalid_parameter"
        ),
    },
    openapi_extra={"parameters": _STATUS_PARAMETERS},
)
async def get_summary(request: Request, summary_id: str) -> Response:
    """Where the job stands; `summary` and `citations` are null, see `links.result`."""
    caller = await authenticate(request)
    gateway = gateway_of(request)
    wishes = _read_wishes(request)
    job_id = read_summary_id(summary_id)
    job = await _await_end(gateway, job_id, caller.tenant_id, wait=wishes.wait)
    headers = _status_headers(job, wishes)
    if matches(request.headers.get("if-none-match"), headers["ETag"]):
        return Response(status_code=_UNCHANGED, headers=headers)
    return JSONResponse(job_object(job), headers=headers)


@router.get(
    "/result",
    response_model=SummaryResult,
    responses={
        200: {"content": {"text/markdown": {"schema": {"type": "string"}}}},
        **problem_responses(
            "not_found", "not_finished", "no_result", "gone", "unknown_parameter"
        ),
    },
    openapi_extra={
        "parameters": [{"name": "Accept", "in": "header", "schema": {"type": "string"}}]
    },
)
async def get_result(request: Request, summary_id: str) -> Response:
    """The summary: JSON, or the bare text for `Accept: text/markdown`."""
    job = await _read_asked(request, summary_id)
    try:
        result = await read_result(gateway_of(request), job)
    except NotFinished as error:
        raise RequestRefused("not_finished", headers=pause_header(job)) from error
    except NoResult as error:
        cause = job_object(job)["error"]
        raise RequestRefused("no_result", members={"error": cause}) from error
    headers = {"Cache-Control": "no-store", "Vary": "Accept"}
    if wants_markdown(request.headers.get("accept")):
        return Response(result.summary, headers=headers, media_type="text/markdown")
    return JSONResponse(_result_object(result), headers=headers)


@router.get(
    "/partial",
    response_model=PartialSummary,
    responses=problem_responses("not_found", "gone", "unknown_parameter"),
)
async def get_partial(request: Request, summary_id: str) -> Response:
    """The finished sections in the order of the text, also of a job that failed."""
    job = await _read_asked(request, summary_id)
    sections = await read_sections(gateway_of(request), job)
    body = {
        "id": show_id(SUMMARY, job.id),
        "status": job_object(job)["status"],
        "complete": job.state is State.SUCCEEDED,
        "sections": [asdict(section) for section in sections],
    }
    headers = {"Cache-Control": "no-store"} | pause_header(job)
    return JSONResponse(body, headers=headers)


async def _read_asked(request: Request, shown: str) -> Job:
    """The job of a page that takes no parameters."""
    caller = await authenticate(request)
    read_parameters(request.query_params.multi_items())
    gateway = gateway_of(request)
    job_id = read_summary_id(shown)
    return await read_job(gateway, job_id, tenant_id=caller.tenant_id)


def _read_wishes(request: Request) -> Preferences:
    """How long to wait; the query says it more exactly than the header."""
    values = read_parameters(request.query_params.multi_items(), known=("wait",))
    if "wait" in values:
        seconds = read_number(
            "wait", values["wait"], at_least=0, at_most=MAX_WAIT_SECONDS
        )
        return Preferences(wait=timedelta(seconds=seconds))
    wait = parse_prefer(request.headers.get("prefer")).wait
    return Preferences(wait=wait)


async def _await_end(
    gateway: Gateway, job_id: UUID, tenant_id: UUID, *, wait: timedelta | None
) -> Job:
    """The job at its end if that comes within the wait, else as it stands then."""
    job = await read_job(gateway, job_id, tenant_id=tenant_id)
    if not wait or job.is_final:
        return job
    await gateway.watcher.wait_final(job_id, wait)
    return await read_job(gateway, job_id, tenant_id=tenant_id)


def _status_headers(job: Job, wishes: Preferences) -> dict[str, str]:
    headers = {"ETag": tag_of(job), "Cache-Control": "no-store", "Vary": "Prefer"}
    if wishes.applied is not None:
        headers["Preference-Applied"] = wishes.applied
    return headers | pause_header(job)


def _result_object(result: Result) -> dict[str, Any]:
    whole = job_object(result.job, summary=result.summary, citations=result.citations)
    names = SummaryResult.model_fields
    return {name: whole[name] for name in names}
