"""A gateway over scripted engines, for tests of what happens when engines misbehave."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

import httpx

from plumbing.database import Database
from tests.builders import TenantForTests, a_tenant, rows
from tests.integration.gateway.conftest import (
    GatewayThread,
    bearer,
    gateway_settings,
)

SHORT = (
    "The council met on Tuesday to talk about buses. Forty electric ones will be "
    "bought next year. The mayor said that the old ones will be sold."
)
TABLES = ("job", "job_key", "job_input", "summary", "outbox", "idempotency_key")


@dataclass(frozen=True)
class Door:
    """One tenant before one gateway."""

    client: httpx.AsyncClient
    database: Database
    tenant: TenantForTests
    url: str

    async def post(
        self, body: dict[str, Any] | None = None, **headers: str
    ) -> httpx.Response:
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        return await self.client.post(
            "/v1/summaries", json={"text": SHORT} | (body or {}), headers=named
        )

    async def count_rows(self) -> dict[str, int]:
        return {
            table: (await rows(self.database, f"SELECT count(*) FROM {table}"))[0][0]
            for table in TABLES
        }


@asynccontextmanager
async def a_door(
    database_url: str, *engine_urls: str, **changes: Any
) -> AsyncIterator[Door]:
    settings = gateway_settings(database_url, *engine_urls)
    gateway = GatewayThread(settings.model_copy(update=changes))
    # The engine answers from this loop, so the gateway must start beside it.
    await asyncio.to_thread(gateway.start)
    database = Database(database_url, pool_size=4)
    tenant = await a_tenant(database)
    async with httpx.AsyncClient(
        base_url=gateway.url, headers=bearer(tenant), timeout=30, trust_env=False
    ) as client:
        yield Door(client, database, tenant, gateway.url)
    await database.close()
    await asyncio.to_thread(gateway.stop)
