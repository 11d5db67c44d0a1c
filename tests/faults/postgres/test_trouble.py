"""Postgres has no room, is slow, or gives one transaction up.

That it has no room, or gives up, is said by a trigger with Postgres's own error code:
a disk is not filled here. All else is a real gateway before a real Postgres.
"""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Final

import pytest

from plumbing.database import Database
from tests.builders import TenantForTests, rows
from tests.faults.front import Caller, Front, a_caller
from tests.faults.proxy import Proxy
from tests.fixtures.database import login_url
from tests.fixtures.processes import Processes

_REFUSING: Final = """
CREATE SEQUENCE refusals;
CREATE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER AS $$
BEGIN
    IF nextval('refusals') <= {times} THEN
        RAISE EXCEPTION 'refused by the test' USING ERRCODE = '{code}';
    END IF;
    RETURN NEW;
END $$;
CREATE TRIGGER refuse BEFORE INSERT ON job FOR EACH ROW EXECUTE FUNCTION refuse();
"""
DISK_FULL: Final = "53100"
GIVEN_UP: Final = ("40001", "40P01")


@pytest.fixture
async def line(database_url: str) -> AsyncIterator[Proxy]:
    async with Proxy.before(database_url) as opened:
        yield opened


@pytest.fixture
async def caller(
    line: Proxy, database_url: str, tenant: TenantForTests, processes: Processes
) -> AsyncIterator[Caller]:
    """A gateway that has been in use for a while."""
    url = line.url(login_url(database_url, "gateway"))
    front = await Front(processes, url).ready()
    async with a_caller(front.url, tenant) as opened:
        assert (await opened.post()).status == 202
        yield opened


@asynccontextmanager
async def refusing(database: Database, *, code: str, times: int) -> AsyncIterator[None]:
    async with database.transaction() as tx:
        await tx.exec_driver_sql(_REFUSING.format(code=code, times=times))
    yield
    async with database.transaction() as tx:
        await tx.exec_driver_sql("DROP TRIGGER refuse ON job")


async def count_jobs(database: Database) -> int:
    return int((await rows(database, "SELECT count(*) FROM job"))[0][0])


async def test_fault_postgres_disk(caller: Caller, database: Database) -> None:
    """Refused with its own word while there is no room; what is there can be read."""
    known = (await caller.post()).response.json()["id"]
    async with refusing(database, code=DISK_FULL, times=10**6):
        answers = await asyncio.gather(*(caller.post() for _ in range(10)))
        for answer in answers:
            assert (answer.status, answer.code) == (503, "storage_full")
            assert int(answer.response.headers["retry-after"]) >= 1
        assert (await caller.get(f"/v1/summaries/{known}")).status == 200
        assert (await caller.get("/v1/summaries")).status == 200
    assert (await caller.post()).status == 202


async def test_fault_postgres_slow(caller: Caller, line: Proxy) -> None:
    """A tenth of a second each way: accepted within a second, or refused."""
    line.latency = 0.1
    answers = await asyncio.gather(*(caller.post() for _ in range(50)))
    accepted = [each for each in answers if each.status == 202]
    assert accepted
    assert sorted(each.seconds for each in accepted)[int(len(accepted) * 0.99)] < 1
    shed = [each for each in answers if each.status != 202]
    assert all("retry-after" in each.response.headers for each in shed)


@pytest.mark.parametrize("code", GIVEN_UP)
async def test_fault_postgres_garb(
    caller: Caller, database: Database, code: str
) -> None:
    """A deadlock or a serialization failure is repeated, three times and no more."""
    before = await count_jobs(database)
    async with refusing(database, code=code, times=3):
        assert (await caller.post()).status == 202
    assert await count_jobs(database) == before + 1
    async with database.transaction() as tx:
        await tx.exec_driver_sql("DROP FUNCTION refuse; DROP SEQUENCE refusals")
    async with refusing(database, code=code, times=10**6):
        refused = await caller.post()
        assert (refused.status, refused.code) == (503, "database_unavailable")
    assert await count_jobs(database) == before + 1
