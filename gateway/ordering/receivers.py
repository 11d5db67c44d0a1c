"""Who is to be told of a job's end: checked at the door, stored beside the job.

The rules for addresses are the notifier's, which checks them again as it sends. What
is stored is what `jobs.operations.ending` reads.
"""

from typing import Any
from uuid import UUID

from gateway.context import Gateway
from gateway.ordering.submission import DeliveryWish, EndpointName
from gateway.problems.answers import field_refused
from jobs.errors import EndpointUnknown
from jobs.ids import ENDPOINT, parse_id
from jobs.store.endpoint_store import get_endpoint
from notifier.mail_addresses import AddressRefused, check_mail_address
from notifier.webhook_urls import UrlRefused, check_webhook_url


async def check_receivers(
    wish: DeliveryWish | None, *, tenant_id: UUID, gateway: Gateway
) -> dict[str, Any] | None:
    """The receivers as they are stored; None: every enabled endpoint of the tenant."""
    if wish is None:
        return None
    stored: dict[str, Any] = {
        "webhook_url": None,
        "webhook_lane": None,
        "endpoint_id": None,
        "email": _check_addresses(wish.email),
    }
    if isinstance(wish.webhook, str):
        stored |= _check_url(wish.webhook, gateway)
    elif wish.webhook is not None:
        stored["endpoint_id"] = await _check_endpoint(
            wish.webhook, tenant_id=tenant_id, gateway=gateway
        )
    return stored


def _check_url(shown: str, gateway: Gateway) -> dict[str, str]:
    networks = gateway.settings.webhook_allow_networks
    try:
        url = check_webhook_url(shown, allow_networks=networks)
    except UrlRefused as refused:
        raise field_refused(refused.code, "/delivery/webhook") from refused
    return {"webhook_url": url.url, "webhook_lane": url.lane}


def _check_addresses(addresses: list[str]) -> list[str]:
    checked: dict[str, None] = {}  # in the caller's order, each once
    for place, address in enumerate(addresses):
        try:
            checked[check_mail_address(address)] = None
        except AddressRefused as refused:
            pointer = f"/delivery/email/{place}"
            raise field_refused(refused.code, pointer) from refused
    return list(checked)


async def _check_endpoint(
    name: EndpointName, *, tenant_id: UUID, gateway: Gateway
) -> str:
    pointer = "/delivery/webhook/endpoint_id"
    endpoint_id = parse_id(ENDPOINT, name.endpoint_id)
    if endpoint_id is None:
        raise field_refused("endpoint_unknown", pointer)
    try:
        async with gateway.for_tenant(tenant_id) as tx:
            await get_endpoint(tx, endpoint_id, tenant_id=tenant_id)
    except EndpointUnknown as unknown:
        raise field_refused("endpoint_unknown", pointer) from unknown
    return str(endpoint_id)
