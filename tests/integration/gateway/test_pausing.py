"""Pauses as callers of the realtime tier meet them."""

import asyncio
from collections.abc import AsyncIterator
from uuid import UUID

import httpx
import pytest

from jobs.store.pause_store import Scope, begin_pause, begin_resume
from tests.builders import a_tenant
from tests.integration.gateway.conftest import House, bearer
from tests.waiting import until

SHORT = "Forty electric buses will be bought next year. The old ones will be sold."


@pytest.fixture
async def visitor(house: House) -> AsyncIterator[tuple[httpx.AsyncClient, UUID]]:
    tenant = await a_tenant(house.database)
    async with httpx.AsyncClient(
        base_url=house.url, headers=bearer(tenant), timeout=30, trust_env=False
    ) as opened:
        yield opened, tenant.id


async def _ask(client: httpx.AsyncClient, tier: str) -> httpx.Response:
    return await client.post("/v1/summaries", json={"text": SHORT, "tier": tier})


@pytest.mark.parametrize("scope", list(Scope))
async def test_a_pause_is_heeded_within_two_seconds_and_so_is_its_end(
    house: House, visitor: tuple[httpx.AsyncClient, UUID], scope: Scope
) -> None:
    client, tenant_id = visitor
    of_tenant = scope is Scope.TENANT
    name = str(tenant_id) if of_tenant else "realtime"

    async def is_refused() -> bool:
        return (await _ask(client, "realtime")).status_code == 503

    async def is_served() -> bool:
        return (await _ask(client, "realtime")).status_code == 200

    async with house.database.statement() as tx:
        await begin_pause(
            tx, scope, name, tenant_id=tenant_id if of_tenant else None, actor="ops"
        )
    try:
        await until(is_refused, seconds=2)
        refused = await _ask(client, "realtime")
        assert refused.json()["code"] == "realtime_paused"
        assert int(refused.headers["retry-after"]) >= 1
        taken = await _ask(client, "auto")
        assert (taken.status_code, taken.json()["routing"]["reason"]) == (202, "paused")
    finally:
        async with house.database.statement() as tx:
            await begin_resume(tx, scope, name, actor="ops")
    await until(is_served, seconds=2)


async def test_a_pause_of_one_tenant_is_nothing_to_another(
    house: House, visitor: tuple[httpx.AsyncClient, UUID], client: httpx.AsyncClient
) -> None:
    paused, tenant_id = visitor
    async with house.database.statement() as tx:
        await begin_pause(
            tx, Scope.TENANT, str(tenant_id), tenant_id=tenant_id, actor="ops"
        )

    async def is_refused() -> bool:
        mine, theirs = await asyncio.gather(
            _ask(paused, "realtime"), _ask(client, "realtime")
        )
        assert theirs.status_code == 200
        return mine.status_code == 503

    await until(is_refused, seconds=2)
