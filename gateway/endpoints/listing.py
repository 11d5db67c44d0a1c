"""The list of a tenant's summaries, newest first, in pages.

Entries are the light job objects; summaries are read one by one. What the query
parameters mean is in `list_filters`, how pages follow one another in `paging`.
"""

from typing import Any, Final

from fastapi import APIRouter, Request, Response

from gateway.api_models import SummaryList
from gateway.context import gateway_of
from gateway.endpoints.paging import (
    PAGE_PARAMETERS,
    list_answer,
    next_cursor,
    read_cursor,
)
from gateway.openapi import problem_responses
from gateway.parts.authentication import authenticate
from gateway.requests.cursors import ListScope
from gateway.requests.list_filters import STATUSES, read_filters
from gateway.requests.query_parameters import read_limit
from jobs.messages.job_object import job_object
from jobs.store.job_store import list_jobs

_TIME: Final = {"type": "string", "format": "date-time"}
_PARAMETERS: Final[list[dict[str, Any]]] = [
    *PAGE_PARAMETERS,
    {
        "name": "status",
        "in": "query",
        "description": "Only jobs in one of these states; repeat it for several.",
        "schema": {"type": "array", "items": {"type": "string", "enum": [*STATUSES]}},
    },
    {"name": "created_from", "in": "query", "schema": _TIME},
    {"name": "created_before", "in": "query", "schema": _TIME},
    {
        "name": "metadata",
        "in": "query",
        "description": "`metadata[key]=value`: only jobs with exactly this pair.",
        "style": "deepObject",
        "explode": True,
        "schema": {
            "type": "object",
            "maxProperties": 16,
            "propertyNames": {"minLength": 1, "maxLength": 64},
            "additionalProperties": {"type": "string", "maxLength": 512},
        },
    },
]

router = APIRouter(tags=["summaries"])


@router.get(
    "/v1/summaries",
    response_model=SummaryList,
    responses=problem_responses(
        "invalid_cursor", "unknown_parameter", "invalid_parameter"
    ),
    openapi_extra={"parameters": _PARAMETERS},
)
async def list_summaries(request: Request) -> Response:
    """The tenant's jobs, newest first; `Link` and `next_cursor` go on."""
    caller = await authenticate(request)
    gateway = gateway_of(request)
    filters, values = read_filters(request.query_params.multi_items())
    limit = read_limit(values)
    scope = ListScope(
        name="summaries", tenant_id=caller.tenant_id, filters=filters.signed()
    )
    wanted = filters.wanted(read_cursor(gateway, values, scope))
    async with gateway.for_tenant(caller.tenant_id) as tx:
        jobs = await list_jobs(tx, wanted, tenant_id=caller.tenant_id, limit=limit + 1)
    shown = jobs[:limit]
    has_more = len(jobs) > limit
    cursor = next_cursor(gateway, shown[-1].id, scope) if has_more else None
    return list_answer(request, [job_object(job) for job in shown], cursor=cursor)
