"""The second wall: whatever the SQL asks for, callers see the rows of one tenant."""

from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final
from uuid import UUID, uuid4

import pytest
from sqlalchemy import exc
from sqlalchemy import text as sql

from jobs.errors import JobError
from jobs.operations.cancel import cancel
from jobs.operations.erase import erase
from jobs.store.chunk_store import list_chunks
from jobs.store.content_store import find_summary, find_wrapped_key
from jobs.store.delivery_store import (
    Page,
    get_delivery,
    list_deliveries,
    list_exhausted,
    list_job_deliveries,
    replay_delivery,
)
from jobs.store.endpoint_store import (
    delete_endpoint,
    get_endpoint,
    list_endpoints,
    rotate_endpoint_secret,
)
from jobs.store.erasure_store import find_erasure_of, get_erasure
from jobs.store.job_store import JobFilter, get_job, list_jobs
from migrations.rights import CALLER, PRIVATE
from plumbing.database import Database, Transaction
from tests.builders import TenantForTests, a_job, a_tenant, by_force, rows
from tests.fixtures.database import login_url
from tests.integration.jobs.contents import LABELS, a_finished_job, erased
from tests.integration.notifier.endings import an_endpoint

ROOT: Final = Path(__file__).resolve().parents[3]


@dataclass(frozen=True)
class Belongings:
    """What one tenant has, a row in every private table."""

    tenant: TenantForTests
    waiting: UUID
    ended: UUID
    endpoint: UUID
    delivery: UUID
    erasure: UUID
    erased: UUID

    @property
    def page(self) -> Page:
        return Page(tenant_id=self.tenant.id, limit=10)


async def belongings(database: Database) -> Belongings:
    tenant = await a_tenant(database)
    endpoint, _ = await an_endpoint(database, tenant, "https://a.example/hook")
    gone = await a_finished_job(database, tenant)
    erasure = await erased(database, gone, tenant)
    ended = await a_finished_job(database, tenant)
    waiting = await a_job(database, tenant)
    # Out of the way of the claims that the next tenant's jobs are ended by.
    await by_force(
        database,
        "UPDATE job SET state = 'retry_wait', run_at = now() + interval '1 h'"
        " WHERE id = :id",
        id=waiting,
    )
    await by_force(
        database,
        "UPDATE delivery SET state = 'exhausted', finished_at = now()"
        " WHERE job_id = :job",
        job=ended,
    )
    [delivery] = await by_force(
        database,
        "INSERT INTO delivery_attempt (delivery_id, number, started_at, finished_at)"
        " SELECT id, 1, now(), now() FROM delivery WHERE job_id = :job"
        " RETURNING delivery_id AS id",
        job=ended,
    )
    return Belongings(tenant, waiting, ended, endpoint, delivery.id, erasure.id, gone)


@pytest.fixture
async def gateway(database_url: str) -> AsyncIterator[Database]:
    """One connection, as the gateway has it: whoever comes next gets the same."""
    opened = Database(login_url(database_url, "gateway"), pool_size=1)
    yield opened
    await opened.close()


async def test_a_pooled_connection_without_a_tenant_sees_nothing(
    database: Database, gateway: Database
) -> None:
    ours = await belongings(database)
    visits: list[UUID | None] = [None, ours.tenant.id, None, uuid4()]
    for tenant in visits:
        found = await _count_all(gateway, tenant)
        assert set(found) == set(PRIVATE)
        is_ours = tenant == ours.tenant.id
        assert all((count > 0) is is_ours for count in found.values()), (tenant, found)


async def _count_all(gateway: Database, tenant: UUID | None) -> dict[str, int]:
    found = {}
    for table in PRIVATE:
        # Without a tenant: the role alone, as a forgotten setting would leave it.
        door = (
            gateway.transaction()
            if tenant is None
            else gateway.for_tenant(tenant, role=CALLER)
        )
        column = "job_id" if table == "job_input" else "*"
        async with door as tx:
            if tenant is None:
                await tx.execute(sql(f"SET LOCAL ROLE {CALLER}"))
            counted = await tx.execute(sql(f"SELECT {column} FROM {table}"))
            found[table] = len(counted.all())
    return found


async def test_what_was_said_for_one_tenant_ends_with_its_transaction(
    database: Database, gateway: Database
) -> None:
    ours = await belongings(database)
    who = sql("SELECT current_user, current_setting('app.tenant', true)")
    async with gateway.for_tenant(ours.tenant.id, role=CALLER) as tx:
        assert (await tx.execute(who)).one() == (CALLER, str(ours.tenant.id))
        assert (await tx.execute(who)).one() == (CALLER, str(ours.tenant.id))
    async with gateway.statement() as tx:
        assert (await tx.execute(who)).one() == ("precis_gateway_login", "")
    with pytest.raises(exc.DBAPIError):
        async with gateway.for_tenant(ours.tenant.id, role=CALLER) as tx:
            await tx.execute(sql("SELECT 1 / 0"))
    async with gateway.for_tenant(ours.tenant.id, role=CALLER):
        pass  # nothing was asked, so nothing was said
    async with gateway.transaction() as tx:
        assert (await tx.execute(who)).one() == ("precis_gateway_login", "")


Look = Callable[[Transaction, Belongings], Awaitable[Any]]

# Each statement that answers a caller, asked with the owner's own id and so without
# its own filter: in a stranger's transaction only the wall is left.
LOOKS: Final[dict[str, Look]] = {
    "get_job": lambda tx, o: get_job(tx, o.ended, tenant_id=o.tenant.id),
    "list_jobs": lambda tx, o: list_jobs(
        tx, JobFilter(), tenant_id=o.tenant.id, limit=10
    ),
    "list_jobs by metadata": lambda tx, o: list_jobs(
        tx,
        JobFilter(metadata=tuple(LABELS.items())),
        tenant_id=o.tenant.id,
        limit=10,
    ),
    "list_chunks": lambda tx, o: list_chunks(tx, o.ended),
    "find_summary": lambda tx, o: find_summary(tx, o.ended),
    "find_wrapped_key": lambda tx, o: find_wrapped_key(tx, o.ended),
    "cancel": lambda tx, o: cancel(tx, o.waiting, tenant_id=o.tenant.id),
    "erase": lambda tx, o: erase(tx, o.ended, tenant_id=o.tenant.id),
    "get_erasure": lambda tx, o: get_erasure(tx, o.erasure, tenant_id=o.tenant.id),
    "find_erasure_of": lambda tx, o: find_erasure_of(tx, o.erased),
    "get_endpoint": lambda tx, o: get_endpoint(tx, o.endpoint, tenant_id=o.tenant.id),
    "list_endpoints": lambda tx, o: list_endpoints(tx, tenant_id=o.tenant.id),
    "rotate_endpoint_secret": lambda tx, o: rotate_endpoint_secret(
        tx, o.endpoint, tenant_id=o.tenant.id, sealed_secret=b"x"
    ),
    "get_delivery": lambda tx, o: get_delivery(tx, o.delivery, tenant_id=o.tenant.id),
    "list_deliveries": lambda tx, o: list_deliveries(tx, o.endpoint, page=o.page),
    "list_job_deliveries": lambda tx, o: list_job_deliveries(tx, o.ended, page=o.page),
    "list_exhausted": lambda tx, o: list_exhausted(tx, page=o.page),
    "replay_delivery": lambda tx, o: replay_delivery(
        tx, o.delivery, tenant_id=o.tenant.id
    ),
    "delete_endpoint": lambda tx, o: delete_endpoint(
        tx, o.endpoint, tenant_id=o.tenant.id
    ),
}


@pytest.mark.parametrize("name", LOOKS)
async def test_a_statement_without_its_filter_finds_nothing_of_others(
    database: Database, gateway: Database, name: str
) -> None:
    ours, theirs = await belongings(database), await belongings(database)
    before = await _everything(database, ours)
    assert not await _finds(gateway, ours, seen_by=theirs, name=name)
    assert await _everything(database, ours) == before
    assert (
        await _finds(gateway, ours, seen_by=ours, name=name)
        or name == "delete_endpoint"
    )


async def _finds(
    gateway: Database, owner: Belongings, *, seen_by: Belongings, name: str
) -> bool:
    try:
        async with gateway.for_tenant(seen_by.tenant.id, role=CALLER) as tx:
            return bool(await LOOKS[name](tx, owner))
    except JobError:
        return False


async def _everything(database: Database, owner: Belongings) -> list[Any]:
    """All that could have been changed of it."""
    statements = (
        "SELECT * FROM job WHERE tenant_id = :tenant ORDER BY id",
        "SELECT * FROM delivery WHERE tenant_id = :tenant ORDER BY id",
        "SELECT * FROM webhook_endpoint WHERE tenant_id = :tenant",
        (
            "SELECT s.* FROM summary s JOIN job j ON j.id = job_id"
            " WHERE tenant_id = :tenant"
        ),
    )
    return [await rows(database, each, tenant=owner.tenant.id) for each in statements]


@pytest.mark.parametrize(
    "statement",
    [
        (
            "INSERT INTO webhook_endpoint (id, tenant_id, url, secret)"
            " VALUES (gen_random_uuid(), :tenant, 'https://evil.example/', 'x')"
        ),
        (
            "INSERT INTO delivery (event_id, job_id, tenant_id, kind, receiver, lane)"
            " SELECT 'evt_' || replace(CAST(:job AS text), '-', ''), :job, :tenant,"
            " 'email', 'a@example.com', 'mail:example.com'"
        ),
        (
            "INSERT INTO erasure (id, job_id, tenant_id, requested_at, erased_at)"
            " VALUES (gen_random_uuid(), :job, :tenant, now(), now())"
        ),
    ],
)
async def test_nothing_is_written_in_anothers_name(
    database: Database, gateway: Database, statement: str
) -> None:
    ours, theirs = await belongings(database), await belongings(database)
    values = {"tenant": ours.tenant.id, "job": ours.waiting}
    used = {name: value for name, value in values.items() if f":{name}" in statement}
    with pytest.raises(exc.ProgrammingError, match="row-level security"):
        async with gateway.for_tenant(theirs.tenant.id, role=CALLER) as tx:
            await tx.execute(sql(statement), used)


def test_endpoints_of_the_gateway_use_no_other_door() -> None:
    """Whoever answers a caller from the database asks as that caller's role."""
    answering = [
        *(ROOT / "gateway" / "endpoints").glob("*.py"),
        ROOT / "gateway" / "job_access.py",
    ]
    other_doors = ("database.statement(", "database.transaction(")
    assert len(answering) > 5
    assert [
        path.name
        for path in answering
        if any(door in path.read_text() for door in other_doors)
    ] == []


MANY: Final = """
WITH j AS (
    INSERT INTO job (id, tenant_id, state, attempt, deadline, tag, tier, routing_reason,
                     tokens, threshold, characters, options, finished_at, coverage)
    SELECT gen_random_uuid(), CASE WHEN n % 20 = 0 THEN CAST(:ours AS uuid)
           ELSE CAST(:theirs AS uuid) END, 'succeeded', 1, now(), n, 'batch', 'asked',
           5, 5, 5, '{}', now(), 1
    FROM generate_series(1, 20000) n RETURNING id, tenant_id
), c AS (
    INSERT INTO chunk (job_id, stage, idx, start_offset, end_offset, tokens)
    SELECT id, 0, i, 0, 1, 1 FROM j CROSS JOIN generate_series(1, 3) i
), m AS (
    INSERT INTO job_metadata (tenant_id, key, value, job_id)
    SELECT tenant_id, 'k', left(CAST(id AS text), 2), id FROM j
), e AS (
    INSERT INTO event (id, job_id, tenant_id, type, job_version)
    SELECT CAST(id AS text), id, tenant_id, 'summary.succeeded', 1 FROM j
)
INSERT INTO delivery (event_id, job_id, tenant_id, kind, endpoint_id, lane)
SELECT CAST(id AS text), id, tenant_id, 'webhook', :endpoint, 'l' FROM j
"""


@pytest.mark.parametrize(
    ("name", "indexes"),
    [
        ("get_job", {"job_pkey", "chunk_pkey"}),
        ("list_jobs", {"job_listing", "chunk_pkey"}),
        ("list_jobs by metadata", {"job_metadata_pkey"}),
        ("list_chunks", {"chunk_pkey", "job_pkey"}),
        ("cancel", {"job_pkey"}),
        ("get_delivery", {"delivery_pkey", "event_pkey"}),
        ("list_deliveries", {"delivery_endpoint"}),
        ("list_job_deliveries", {"delivery_job"}),
    ],
)
async def test_the_wall_keeps_the_indexes(
    database: Database, gateway: Database, name: str, indexes: set[str]
) -> None:
    ours, theirs = await belongings(database), await belongings(database)
    await by_force(
        database,
        MANY,
        ours=ours.tenant.id,
        theirs=theirs.tenant.id,
        endpoint=ours.endpoint,
    )
    async with database.statement() as tx:
        await tx.execute(sql("VACUUM ANALYZE"))
    plan = await _plan(gateway, ours, name)
    used = {index for index in indexes if index in plan}
    assert used == indexes, plan
    for table in ("job", "chunk", "delivery"):
        assert f"Seq Scan on {table} " not in plan, plan


async def _plan(gateway: Database, owner: Belongings, name: str) -> str:
    """How the first statement of a look is planned, in the owner's transaction."""
    asked: list[tuple[Any, Any]] = []

    class Listening:
        async def execute(self, statement: Any, values: Any = None) -> Any:
            asked.append((statement, values))
            raise LookedEnough

    class LookedEnough(Exception):
        pass

    listening: Any = Listening()
    listening.scalar = listening.execute
    looks: Any = LOOKS[name]
    if name == "list_deliveries":  # whose first statement looks for the endpoint
        looks = LOOKS["list_job_deliveries"]
    with pytest.raises(LookedEnough):
        await looks(listening, owner)
    [(statement, values)] = asked
    written = str(statement.text)
    if name == "list_deliveries":
        written = written.replace("d.job_id = :of", "d.endpoint_id = :of")
        values = values | {"of": owner.endpoint}
    async with gateway.for_tenant(owner.tenant.id, role=CALLER) as tx:
        explained = await tx.execute(sql(f"EXPLAIN {written}"), values)
        return "\n".join(row[0] for row in explained)
