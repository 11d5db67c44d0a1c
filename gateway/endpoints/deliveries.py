"""What was and is to be sent to an endpoint, with every attempt; and sending it again.

A replay is a new delivery of the same event: receivers see the same `webhook-id`.
Claiming, sending and recording are the notifier's.
"""

from typing import Any, Final
from uuid import UUID

from fastapi import APIRouter, Request, Response
from fastapi.responses import JSONResponse

from gateway.api_models import Delivery as DeliveryView
from gateway.api_models import DeliveryList
from gateway.context import gateway_of
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
from gateway.requests.query_parameters import read_limit, read_parameters
from jobs.ids import DELIVERY, ENDPOINT, SUMMARY, parse_id, show_id
from jobs.messages.job_object import show_time
from jobs.store.delivery_store import (
    Attempt,
    Delivery,
    DeliveryUnknown,
    ReplayRefused,
    list_deliveries,
    replay_delivery,
)

_WHOLE_DOCUMENT: Final = ""

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
    before_id = read_cursor(gateway, values, scope)
    async with gateway.for_tenant(caller.tenant_id) as tx:
        found = await list_deliveries(
            tx,
            known,
            tenant_id=caller.tenant_id,
            limit=limit + 1,
            before_id=before_id,
        )
    shown = found[:limit]
    has_more = len(found) > limit
    cursor = next_cursor(gateway, shown[-1].id, scope) if has_more else None
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
