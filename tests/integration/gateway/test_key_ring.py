"""How long a key is believed without a look into the database."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from types import SimpleNamespace

import pytest

from gateway.parts import authentication
from gateway.parts.authentication import KeyRing
from gateway.problems.answers import RequestRefused
from jobs.api_keys import ApiKey
from plumbing.database import Database, DatabaseUnavailable, Transaction
from tests.builders import a_tenant, rows
from tests.fixtures.database import PEPPER


class Unsteady(Database):
    """A real database that can be away."""

    is_away = False
    asked = 0

    @asynccontextmanager
    async def statement(self) -> AsyncIterator[Transaction]:
        if self.is_away:
            raise DatabaseUnavailable
        self.asked += 1
        async with super().statement() as tx:
            yield tx


@pytest.fixture
async def unsteady(database_url: str) -> AsyncIterator[Unsteady]:
    opened = Unsteady(database_url, pool_size=2)
    yield opened
    await opened.close()


async def test_a_key_is_believed_for_ten_seconds_and_not_longer(
    unsteady: Unsteady, monkeypatch: pytest.MonkeyPatch
) -> None:
    now = 1000.0
    monkeypatch.setattr(authentication, "time", SimpleNamespace(monotonic=lambda: now))
    tenant = await a_tenant(unsteady)
    shown = f"Bearer {tenant.api_key}"
    ring = KeyRing(unsteady, pepper=PEPPER.encode())
    assert (await ring.identify(shown)).tenant_id == tenant.id
    await rows(unsteady, "UPDATE api_key SET revoked_at = now() RETURNING id")
    unsteady.is_away = True
    now += 9
    with pytest.raises(DatabaseUnavailable):
        await ring.identify(shown)  # it asks again, the others go on
    assert (await ring.identify(shown)).tenant_id == tenant.id
    for _ in range(5):
        now += 1.5
        with pytest.raises(DatabaseUnavailable):
            await ring.identify(shown)
    unsteady.is_away = False
    with pytest.raises(RequestRefused):
        await ring.identify(shown)


async def test_all_who_bring_a_key_at_the_same_moment_cost_one_look(
    unsteady: Unsteady,
) -> None:
    """Or a crowd with one key would keep everybody else from the database."""
    tenant = await a_tenant(unsteady)
    unsteady.asked = 0
    ring = KeyRing(unsteady, pepper=PEPPER.encode())
    callers = await asyncio.gather(
        *(ring.identify(f"Bearer {tenant.api_key}") for _ in range(500))
    )
    assert {caller.tenant_id for caller in callers} == {tenant.id}
    assert unsteady.asked == 1


async def test_a_crowd_with_a_key_of_nobody_costs_one_look(unsteady: Unsteady) -> None:
    shown = f"Bearer {ApiKey.generate().shown()}"
    ring = KeyRing(unsteady, pepper=PEPPER.encode())
    answers = await asyncio.gather(
        *(ring.identify(shown) for _ in range(500)), return_exceptions=True
    )
    assert all(isinstance(answer, RequestRefused) for answer in answers)
    assert unsteady.asked == 1
