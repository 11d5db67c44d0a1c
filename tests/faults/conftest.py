"""What the fault tests share: a Postgres and a whole batch tier that may be broken."""

import shutil
from collections.abc import AsyncIterator

import pytest

from plumbing.database import Database
from tests.builders import TenantForTests, a_tenant
from tests.faults.open_tier import open_tier
from tests.faults.own_postgres import OwnPostgres
from tests.faults.tier import Tier
from tests.fixtures.servers import make_root


@pytest.fixture(scope="session")
async def kept_postgres() -> AsyncIterator[OwnPostgres]:
    root = make_root()
    postgres = OwnPostgres(root)
    await postgres.make()
    yield postgres
    await postgres.close()
    shutil.rmtree(root, ignore_errors=True)


@pytest.fixture
async def own_postgres(kept_postgres: OwnPostgres) -> AsyncIterator[OwnPostgres]:
    """It runs when the test begins, and is mended when the test ends."""
    await kept_postgres.restore()
    yield kept_postgres
    await kept_postgres.restore()


@pytest.fixture
async def own_database(own_postgres: OwnPostgres) -> AsyncIterator[Database]:
    opened = Database(own_postgres.url, pool_size=4)
    yield opened
    await opened.close()


@pytest.fixture
async def own_tenant(own_database: Database) -> TenantForTests:
    return await a_tenant(own_database)


@pytest.fixture(scope="module")
async def kept_tier(
    postgres_url: str, template_url: str, tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[Tier]:
    folder = tmp_path_factory.mktemp("tier")
    async with open_tier(postgres_url, template_url, folder) as opened:
        yield opened


@pytest.fixture
async def tier(kept_tier: Tier) -> Tier:
    """It is warm and whole when the test begins."""
    await kept_tier.heal()
    return kept_tier
