"""Webhook endpoints as callers manage them: `client.webhook_endpoints`.

The same names blocking and asynchronous; what they do stands in `endpoint_flows`.
"""

from collections.abc import AsyncIterator, Iterator

from precis.client import endpoint_flows
from precis.client.connection import AsyncConnection, Connection
from precis.client.endpoint import Delivery, WebhookEndpoint


class WebhookEndpoints:
    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self._patience = connection.patience

    def create(self, url: str, *, description: str = "") -> WebhookEndpoint:
        """Register a receiver; its secret is in this answer and never shown again."""
        return self._connection.run(
            endpoint_flows.create(url, description=description, patience=self._patience)
        )

    def get(self, endpoint_id: str) -> WebhookEndpoint:
        flow = endpoint_flows.get(endpoint_id, patience=self._patience)
        return self._connection.run(flow)

    def list(self) -> Iterator[WebhookEndpoint]:
        return self._connection.pages(
            lambda cursor: endpoint_flows.page(cursor=cursor, patience=self._patience)
        )

    def rotate(self, endpoint_id: str) -> WebhookEndpoint:
        """A new secret, shown once; the old one goes on signing for 24 hours."""
        flow = endpoint_flows.rotate(endpoint_id, patience=self._patience)
        return self._connection.run(flow)

    def delete(self, endpoint_id: str) -> None:
        flow = endpoint_flows.delete(endpoint_id, patience=self._patience)
        return self._connection.run(flow)

    def deliveries(self, endpoint_id: str) -> Iterator[Delivery]:
        return self._connection.pages(
            lambda cursor: endpoint_flows.deliveries(
                endpoint_id, cursor=cursor, patience=self._patience
            )
        )

    def replay(self, delivery_id: str) -> Delivery:
        """Send a delivery's event once more, under the same event id."""
        flow = endpoint_flows.replay(delivery_id, patience=self._patience)
        return self._connection.run(flow)


class AsyncWebhookEndpoints:
    def __init__(self, connection: AsyncConnection) -> None:
        self._connection = connection
        self._patience = connection.patience

    async def create(self, url: str, *, description: str = "") -> WebhookEndpoint:
        """Register a receiver; its secret is in this answer and never shown again."""
        return await self._connection.run(
            endpoint_flows.create(url, description=description, patience=self._patience)
        )

    async def get(self, endpoint_id: str) -> WebhookEndpoint:
        flow = endpoint_flows.get(endpoint_id, patience=self._patience)
        return await self._connection.run(flow)

    def list(self) -> AsyncIterator[WebhookEndpoint]:
        return self._connection.pages(
            lambda cursor: endpoint_flows.page(cursor=cursor, patience=self._patience)
        )

    async def rotate(self, endpoint_id: str) -> WebhookEndpoint:
        """A new secret, shown once; the old one goes on signing for 24 hours."""
        flow = endpoint_flows.rotate(endpoint_id, patience=self._patience)
        return await self._connection.run(flow)

    async def delete(self, endpoint_id: str) -> None:
        flow = endpoint_flows.delete(endpoint_id, patience=self._patience)
        return await self._connection.run(flow)

    def deliveries(self, endpoint_id: str) -> AsyncIterator[Delivery]:
        return self._connection.pages(
            lambda cursor: endpoint_flows.deliveries(
                endpoint_id, cursor=cursor, patience=self._patience
            )
        )

    async def replay(self, delivery_id: str) -> Delivery:
        """Send a delivery's event once more, under the same event id."""
        flow = endpoint_flows.replay(delivery_id, patience=self._patience)
        return await self._connection.run(flow)
