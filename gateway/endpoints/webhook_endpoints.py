"""Webhook endpoints of a tenant: registered, listed, enabled again, deleted.

A secret is shown in the answer that made it and never again. What a URL may be is the
notifier's rule; what is on its way to an endpoint is in `deliveries`.
"""

from typing import Annotated, Any, Final
from uuid import UUID

from fastapi import APIRouter, Request, Response
from fastapi.responses import JSONResponse
from pydantic import Field

from gateway.api_models import (
    WebhookEndpoint,
    WebhookEndpointList,
    WebhookEndpointWithSecret,
)
from gateway.context import Gateway, gateway_of
from gateway.endpoints.paging import list_answer
from gateway.openapi import problem_responses
from gateway.parts.authentication import authenticate
from gateway.problems.answers import field_refused
from gateway.requests.query_parameters import read_parameters
from gateway.requests.request_models import RequestPart, read_part
from gateway.requests.strict_json import read_json
from jobs.errors import EndpointUnknown
from jobs.ids import ENDPOINT, new_id, parse_id, show_id
from jobs.messages.job_object import show_time
from jobs.store.endpoint_store import (
    Endpoint,
    create_endpoint,
    delete_endpoint,
    enable_endpoint,
    get_endpoint,
    list_endpoints,
    rotate_endpoint_secret,
)
from notifier.signatures import new_secret
from notifier.webhook_urls import MAX_URL_LENGTH, UrlRefused, check_webhook_url

_NO_STORE: Final = {"Cache-Control": "no-store"}
_MAX_DESCRIPTION: Final = 256


class EndpointBody(RequestPart):
    """The JSON that registers an endpoint."""

    url: Annotated[
        str,
        Field(description=f"https, public, at most {MAX_URL_LENGTH} characters."),
    ]
    description: Annotated[str, Field(max_length=_MAX_DESCRIPTION)] = ""


_BODY: Final[dict[str, Any]] = {
    "requestBody": {
        "required": True,
        "content": {
            "application/json": {
                "schema": EndpointBody.model_json_schema(),
                "example": {
                    "url": "https://hooks.example.com/precis",
                    "description": "Summaries for the newsroom",
                },
            }
        },
    }
}

router = APIRouter(prefix="/v1/webhook-endpoints", tags=["webhooks"])


@router.post(
    "",
    status_code=201,
    response_model=WebhookEndpointWithSecret,
    responses=problem_responses(
        "empty_body",
        "malformed_json",
        "body_too_large",
        "unsupported_media_type",
        "unknown_field",
        "https_required",
        "address_blocked",
        "too_many_endpoints",
    ),
    openapi_extra=_BODY,
)
async def create_webhook_endpoint(request: Request) -> Response:
    """Register a URL; the answer shows its secret, once."""
    caller = await authenticate(request)
    read_parameters(request.query_params.multi_items())
    gateway = gateway_of(request)
    async with gateway.bodies.reading(request, tenant_id=caller.tenant_id) as raw:
        wanted = read_part(EndpointBody, read_json(raw))
    url = _checked_url(wanted.url, gateway)
    endpoint_id, secret = new_id(), new_secret()
    sealed = _seal(secret, endpoint_id, gateway)
    async with gateway.for_tenant(caller.tenant_id) as tx:
        endpoint = await create_endpoint(
            tx,
            endpoint_id,
            tenant_id=caller.tenant_id,
            url=url,
            description=wanted.description,
            sealed_secret=sealed,
        )
    body = endpoint_object(endpoint) | {"secret": secret}
    location = f"/v1/webhook-endpoints/{body['id']}"
    headers = _NO_STORE | {"Location": location}
    return JSONResponse(body, status_code=201, headers=headers)


@router.get(
    "",
    response_model=WebhookEndpointList,
    responses=problem_responses("unknown_parameter"),
)
async def list_webhook_endpoints(request: Request) -> Response:
    """All endpoints, newest first. There are at most 100, so there is one page."""
    caller = await authenticate(request)
    read_parameters(request.query_params.multi_items())
    async with gateway_of(request).for_tenant(caller.tenant_id) as tx:
        endpoints = await list_endpoints(tx, tenant_id=caller.tenant_id)
    shown = [endpoint_object(endpoint) for endpoint in endpoints]
    return list_answer(request, shown, cursor=None)


@router.get(
    "/{endpoint_id}",
    response_model=WebhookEndpoint,
    responses=problem_responses("not_found", "unknown_parameter"),
)
async def get_webhook_endpoint(request: Request, endpoint_id: str) -> Response:
    caller = await authenticate(request)
    read_parameters(request.query_params.multi_items())
    known = read_endpoint_id(endpoint_id)
    async with gateway_of(request).for_tenant(caller.tenant_id) as tx:
        endpoint = await get_endpoint(tx, known, tenant_id=caller.tenant_id)
    return JSONResponse(endpoint_object(endpoint), headers=_NO_STORE)


@router.post(
    "/{endpoint_id}/rotate",
    response_model=WebhookEndpointWithSecret,
    responses=problem_responses("not_found", "unknown_parameter"),
)
async def rotate_webhook_secret(request: Request, endpoint_id: str) -> Response:
    """Give it a new secret, shown once; the old one goes on signing for 24 hours."""
    caller = await authenticate(request)
    read_parameters(request.query_params.multi_items())
    known, secret = read_endpoint_id(endpoint_id), new_secret()
    gateway = gateway_of(request)
    sealed = _seal(secret, known, gateway)
    async with gateway.for_tenant(caller.tenant_id) as tx:
        endpoint = await rotate_endpoint_secret(
            tx, known, tenant_id=caller.tenant_id, sealed_secret=sealed
        )
    body = endpoint_object(endpoint) | {"secret": secret}
    return JSONResponse(body, headers=_NO_STORE)


@router.post(
    "/{endpoint_id}/enable",
    response_model=WebhookEndpoint,
    responses=problem_responses("not_found", "unknown_parameter"),
)
async def enable_webhook_endpoint(request: Request, endpoint_id: str) -> Response:
    """Send to it again after it was disabled; what was cancelled can be replayed."""
    caller = await authenticate(request)
    read_parameters(request.query_params.multi_items())
    known = read_endpoint_id(endpoint_id)
    async with gateway_of(request).for_tenant(caller.tenant_id) as tx:
        endpoint = await enable_endpoint(tx, known, tenant_id=caller.tenant_id)
    return JSONResponse(endpoint_object(endpoint), headers=_NO_STORE)


@router.delete(
    "/{endpoint_id}",
    status_code=204,
    responses=problem_responses("not_found", "unknown_parameter"),
)
async def delete_webhook_endpoint(request: Request, endpoint_id: str) -> Response:
    """Send nothing more to it; what was still to be sent is cancelled."""
    caller = await authenticate(request)
    read_parameters(request.query_params.multi_items())
    known = read_endpoint_id(endpoint_id)
    async with gateway_of(request).for_tenant(caller.tenant_id) as tx:
        await delete_endpoint(tx, known, tenant_id=caller.tenant_id)
    return Response(status_code=204)


def read_endpoint_id(shown: str) -> UUID:
    endpoint_id = parse_id(ENDPOINT, shown)
    if endpoint_id is None:
        raise EndpointUnknown(shown)
    return endpoint_id


def endpoint_object(endpoint: Endpoint) -> dict[str, Any]:
    return {
        "id": show_id(ENDPOINT, endpoint.id),
        "object": "webhook_endpoint",
        "url": endpoint.url,
        "description": endpoint.description,
        "status": endpoint.state,
        "disabled_reason": endpoint.disabled_reason,
        "created_at": show_time(endpoint.created_at),
        "rotated_at": show_time(endpoint.rotated_at),
    }


def _checked_url(shown: str, gateway: Gateway) -> str:
    networks = gateway.settings.webhook_allow_networks
    try:
        return check_webhook_url(shown, allow_networks=networks).url
    except UrlRefused as refused:
        raise field_refused(refused.code, "/url") from refused


def _seal(secret: str, endpoint_id: UUID, gateway: Gateway) -> bytes:
    label = f"webhook-secret:{endpoint_id.hex}"
    return gateway.master_key.seal(secret.encode(), label=label)
