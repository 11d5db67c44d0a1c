"""How long a key is believed without a look into the database."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from types import SimpleNamespace

import pytest

from gateway.parts import authentication
from gateway.parts.authentication import KeyRing
from gateway.problems.answers import RequestRefused
from plumbing.database import Database, DatabaseUnavailable, Transaction
from tests.builders import a_tenant, rows
from tests.fixtures.database import PEPPER


class Unsteady(Database):
    """A real database that can be away."""

    is_away = False

    @asynccontextmanager
    async def statement(self) -> AsyncIterator[Transaction]:
        if self.is_away:
            raise DatabaseUnavailable
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
