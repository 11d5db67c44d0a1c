"""The steps of registering webhook endpoints and following what they were sent.

Creating, rotating and replaying have no idempotency key: they are repeated only
where the first request surely did nothing.
"""

from typing import Final
from urllib.parse import quote

from precis.client import requests
from precis.client.endpoint import Delivery, WebhookEndpoint
from precis.client.flows import ask
from precis.client.page import Page
from precis.client.parsing import read_delivery, read_endpoint, read_page
from precis.client.retrying import Flow, Patience, send

_ENDPOINTS: Final = "/v1/webhook-endpoints"


def create(url: str, *, description: str, patience: Patience) -> Flow[WebhookEndpoint]:
    body = {"url": url} | ({"description": description} if description else {})
    request = requests.change("POST", _ENDPOINTS, body)
    return (yield from ask(request, read_endpoint, patience=patience))


def get(endpoint_id: str, *, patience: Patience) -> Flow[WebhookEndpoint]:
    request = requests.get(_path(endpoint_id))
    return (yield from ask(request, read_endpoint, patience=patience))


def rotate(endpoint_id: str, *, patience: Patience) -> Flow[WebhookEndpoint]:
    request = requests.change("POST", _path(endpoint_id) + "/rotate")
    return (yield from ask(request, read_endpoint, patience=patience))


def delete(endpoint_id: str, *, patience: Patience) -> Flow[None]:
    request = requests.change("DELETE", _path(endpoint_id))
    yield from send(request, patience=patience)


def page(*, cursor: str | None, patience: Patience) -> Flow[Page[WebhookEndpoint]]:
    request = requests.page(_ENDPOINTS, {}, cursor=cursor)
    return (yield from ask(request, read_page(read_endpoint), patience=patience))


def deliveries(
    endpoint_id: str, *, cursor: str | None, patience: Patience
) -> Flow[Page[Delivery]]:
    path = _path(endpoint_id) + "/deliveries"
    request = requests.page(path, {}, cursor=cursor)
    return (yield from ask(request, read_page(read_delivery), patience=patience))


def replay(delivery_id: str, *, patience: Patience) -> Flow[Delivery]:
    path = f"/v1/deliveries/{quote(delivery_id, safe='')}/replay"
    request = requests.change("POST", path)
    return (yield from ask(request, read_delivery, patience=patience))


def _path(endpoint_id: str) -> str:
    return f"{_ENDPOINTS}/{quote(endpoint_id, safe='')}"
