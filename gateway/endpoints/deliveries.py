"""What was and is to be sent, with every attempt; and sending it again.

A replay is a new delivery of the same event: receivers see the same `webhook-id`.
Claiming, sending and recording are the notifier's.
"""

from collections.abc import Mapping, Sequence
from typing import Any, Final
from uuid import UUID

from fastapi import APIRouter, Request, Response
from fastapi.responses import JSONResponse

from gateway.api_models import Delivery as DeliveryView
from gateway.api_models import DeliveryList
from gateway.context import Gateway, gateway_of
from gateway.endpoints.paging import (
    PAGE_PARAMETERS,
    list_answer,
    next_cursor,
    read_cursor,
)
from gateway.endpoints.webhook_endpoints import read_endpoint_id
from gateway.openapi import problem_responses
from gateway.parts.authentication import authenticate
from gateway.problems.answers import Fault, RequestRefused
from gateway.requests.cursors import ListScope
from gateway.requests.query_parameters import (
    read_limit,
    read_parameters,
    refuse_parameter,
)
from jobs.ids import DELIVERY, ENDPOINT, SUMMARY, parse_id, show_id
from jobs.messages.job_object import show_time
from jobs.store.delivery_store import (
    Attempt,
    Delivery,
    DeliveryUnknown,
    Page,
    ReplayRefused,
    list_deliveries,
    list_exhausted,
    list_job_deliveries,
    replay_delivery,
)

_WHOLE_DOCUMENT: Final = ""

_WHICH: Final[list[dict[str, Any]]] = [
    {
        "name": "job",
        "in": "query",
        "description": "The id of a summary: all deliveries that tell of it.",
        "schema": {"type": "string"},
    },
    {
        "name": "status",
        "in": "query",
        "description": "Without `job`: those given up after their last try.",
        "schema": {"type": "string", "enum": ["exhausted"]},
    },
]

router = APIRouter(tags=["webhooks"])


@router.get(
    "/v1/webhook-endpoints/{endpoint_id}/deliveries",
    response_model=DeliveryList,
    responses=problem_responses(
        "not_found", "invalid_cursor", "unknown_parameter", "invalid_parameter"
    ),
    openapi_extra={"parameters": PAGE_PARAMETERS},
)
async def list_endpoint_deliveries(request: Request, endpoint_id: str) -> Response:
    """Deliveries to the endpoint with all attempts, newest first."""
    caller = await authenticate(request)
    gateway = gateway_of(request)
    values = read_parameters(
        request.query_params.multi_items(), known=("limit", "cursor")
    )
    limit = read_limit(values)
    known = read_endpoint_id(endpoint_id)
    scope = ListScope(
        name="deliveries", tenant_id=caller.tenant_id, filters={"of": known.hex}
    )
    page = _page(gateway, values, scope, limit=limit)
    async with gateway.for_tenant(caller.tenant_id) as tx:
        found = await list_deliveries(tx, known, page=page)
    return _page_answer(request, found, limit=limit, scope=scope)


@router.get(
    "/v1/deliveries",
    response_model=DeliveryList,
    responses=problem_responses(
        "invalid_cursor", "unknown_parameter", "invalid_parameter"
    ),
    openapi_extra={"parameters": [*_WHICH, *PAGE_PARAMETERS]},
)
async def list_all_deliveries(request: Request) -> Response:
    """What was sent for one job, or all that was given up; give one of the two."""
    caller = await authenticate(request)
    gateway = gateway_of(request)
    values = read_parameters(
        request.query_params.multi_items(), known=("job", "status", "limit", "cursor")
    )
    limit, job_id = read_limit(values), _read_job(values)
    scope = ListScope(
        name="all_deliveries",
        tenant_id=caller.tenant_id,
        filters={"job": job_id and job_id.hex},
    )
    page = _page(gateway, values, scope, limit=limit)
    async with gateway.for_tenant(caller.tenant_id) as tx:
        if job_id is None:
            found = await list_exhausted(tx, page=page)
        else:
            found = await list_job_deliveries(tx, job_id, page=page)
    return _page_answer(request, found, limit=limit, scope=scope)


def _read_job(values: Mapping[str, str]) -> UUID | None:
    """The job that was asked for; None where it was what was given up."""
    shown, status = values.get("job"), values.get("status")
    if shown is None:
        if status != "exhausted":
            raise refuse_parameter("invalid_parameter", "status")
        return None
    job_id = parse_id(SUMMARY, shown)
    if job_id is None or status is not None:
        raise refuse_parameter("invalid_parameter", "job")
    return job_id


def _page(
    gateway: Gateway, values: Mapping[str, str], scope: ListScope, *, limit: int
) -> Page:
    before_id = read_cursor(gateway, values, scope)
    return Page(tenant_id=scope.tenant_id, limit=limit + 1, before_id=before_id)


def _page_answer(
    request: Request, found: Sequence[Delivery], *, limit: int, scope: ListScope
) -> Response:
    shown = found[:limit]
    has_more = len(found) > limit
    cursor = next_cursor(gateway_of(request), shown[-1].id, scope) if has_more else None
    return list_answer(request, [_delivery_object(d) for d in shown], cursor=cursor)


@router.post(
    "/v1/deliveries/{delivery_id}/replay",
    status_code=202,
    response_model=DeliveryView,
    responses=problem_responses("not_found", "not_replayable", "unknown_parameter"),
)
async def replay_one_delivery(request: Request, delivery_id: str) -> Response:
    """Send it again, at once and with a schedule of its own."""
    caller = await authenticate(request)
    read_parameters(request.query_params.multi_items())
    known = _read_delivery_id(delivery_id)
    try:
        async with gateway_of(request).for_tenant(caller.tenant_id) as tx:
            again = await replay_delivery(tx, known, tenant_id=caller.tenant_id)
    except ReplayRefused as refused:
        faults = [Fault(_WHOLE_DOCUMENT, refused.obstacle)]
        raise RequestRefused("not_replayable", faults=faults) from refused
    headers = {"Cache-Control": "no-store"}
    return JSONResponse(_delivery_object(again), status_code=202, headers=headers)


def _read_delivery_id(shown: str) -> UUID:
    delivery_id = parse_id(DELIVERY, shown)
    if delivery_id is None:
        raise DeliveryUnknown(shown)
    return delivery_id


def _delivery_object(delivery: Delivery) -> dict[str, Any]:
    return {
        "id": show_id(DELIVERY, delivery.id),
        "object": "delivery",
        "event_id": delivery.event_id,
        "event_type": delivery.event_type,
        "summary_id": show_id(SUMMARY, delivery.job_id),
        "kind": delivery.kind,
        "endpoint_id": _shown_or_null(ENDPOINT, delivery.endpoint_id),
        "receiver": delivery.receiver,
        "status": delivery.state,
        "next_at": show_time(delivery.next_at),
        "replay_of": _shown_or_null(DELIVERY, delivery.replay_of),
        "created_at": show_time(delivery.created_at),
        "finished_at": show_time(delivery.finished_at),
        "attempts": [_attempt_object(attempt) for attempt in delivery.attempts],
    }


def _attempt_object(attempt: Attempt) -> dict[str, Any]:
    return {
        "number": attempt.number,
        "started_at": show_time(attempt.started_at),
        "finished_at": show_time(attempt.finished_at),
        "code": attempt.code,
        "error": attempt.error,
    }


def _shown_or_null(prefix: str, value: UUID | None) -> str | None:
    return None if value is None else show_id(prefix, value)
