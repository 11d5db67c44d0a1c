"""Endpoints at rest, seen through the tenant who owns them."""

import asyncio
from uuid import UUID

import pytest

from jobs.errors import EndpointUnknown
from jobs.ids import new_id
from jobs.store.endpoint_store import (
    MAX_ENDPOINTS,
    Endpoint,
    TooManyEndpoints,
    create_endpoint,
    delete_endpoint,
    get_endpoint,
    list_endpoints,
    rotate_endpoint_secret,
)
from plumbing.database import Database
from tests.builders import TenantForTests, a_tenant, rows

URL = "https://example.com/hook"


async def create(database: Database, tenant: TenantForTests) -> Endpoint:
    async with database.transaction() as tx:
        return await create_endpoint(
            tx,
            new_id(),
            tenant_id=tenant.id,
            url=URL,
            description="ours",
            sealed_secret=b"sealed",
        )


async def listed(database: Database, tenant: TenantForTests) -> list[UUID]:
    async with database.statement() as tx:
        found = await list_endpoints(tx, tenant_id=tenant.id)
    return [endpoint.id for endpoint in found]


async def test_what_is_created_can_be_read(database: Database) -> None:
    tenant = await a_tenant(database)
    created = await create(database, tenant)
    async with database.statement() as tx:
        assert await get_endpoint(tx, created.id, tenant_id=tenant.id) == created
    assert (created.url, created.description) == (URL, "ours")
    assert (created.state, created.rotated_at) == ("enabled", None)
    newer = await create(database, tenant)
    assert await listed(database, tenant) == [newer.id, created.id]


async def test_another_tenants_endpoint_is_unknown(database: Database) -> None:
    owner, stranger = await a_tenant(database), await a_tenant(database)
    endpoint = await create(database, owner)
    async with database.transaction() as tx:
        with pytest.raises(EndpointUnknown):
            await get_endpoint(tx, endpoint.id, tenant_id=stranger.id)
        with pytest.raises(EndpointUnknown):
            await delete_endpoint(tx, endpoint.id, tenant_id=stranger.id)
        with pytest.raises(EndpointUnknown):
            await rotate_endpoint_secret(
                tx, endpoint.id, tenant_id=stranger.id, sealed_secret=b"mine"
            )
    assert await listed(database, stranger) == []
    assert await listed(database, owner) == [endpoint.id]


async def test_a_rotation_keeps_the_secret_before(database: Database) -> None:
    tenant = await a_tenant(database)
    endpoint = await create(database, tenant)
    async with database.statement() as tx:
        rotated = await rotate_endpoint_secret(
            tx, endpoint.id, tenant_id=tenant.id, sealed_secret=b"newer"
        )
    assert rotated.rotated_at is not None
    (stored,) = await rows(database, "SELECT * FROM webhook_endpoint")
    assert (stored.secret, stored.secret_previous) == (b"newer", b"sealed")


async def test_a_deleted_endpoint_is_shown_no_more(database: Database) -> None:
    tenant = await a_tenant(database)
    endpoint = await create(database, tenant)
    async with database.statement() as tx:
        await delete_endpoint(tx, endpoint.id, tenant_id=tenant.id)
    assert await listed(database, tenant) == []
    async with database.statement() as tx:
        with pytest.raises(EndpointUnknown):
            await delete_endpoint(tx, endpoint.id, tenant_id=tenant.id)


async def test_the_101st_endpoint_is_refused(database: Database) -> None:
    tenant = await a_tenant(database)
    for _ in range(MAX_ENDPOINTS):
        last = await create(database, tenant)
    with pytest.raises(TooManyEndpoints):
        await create(database, tenant)
    async with database.statement() as tx:
        await delete_endpoint(tx, last.id, tenant_id=tenant.id)
    await create(database, tenant)


async def test_of_two_last_endpoints_at_once_one_is_refused(
    database: Database,
) -> None:
    tenant = await a_tenant(database)
    for _ in range(MAX_ENDPOINTS - 1):
        await create(database, tenant)
    async with database.transaction() as tx:
        await create_endpoint(
            tx,
            new_id(),
            tenant_id=tenant.id,
            url=URL,
            description="not committed yet",
            sealed_secret=b"sealed",
        )
        other = asyncio.create_task(create(database, tenant))
        # It must still be waiting when this one commits.
        await asyncio.wait([other], timeout=0.3)
    with pytest.raises(TooManyEndpoints):
        await other
