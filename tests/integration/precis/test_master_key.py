"""A wrong master key stops a process at its start; a right one may be replaced online."""

import asyncio
import base64

import pytest

from jobs.store.canary_store import keep_canary
from jobs.store.content_store import find_wrapped_key
from jobs.store.sealed import JobSeal
from plumbing.database import Database
from plumbing.sealing import BoxBroken, MasterKey
from tests.builders import WEBHOOK_SECRET, a_job, a_tenant, rows
from tests.fixtures.database import MASTER_KEY, PEPPER
from tests.fixtures.processes import Processes, free_port
from tests.integration.precis.conftest import Cli

OTHER_KEY = base64.b64encode(b"another-master-key-of-32-bytes--").decode()


def _environment(database_url: str, key: str, engine_url: str) -> dict[str, str]:
    return {
        "PRECIS_DATABASE_URL": database_url,
        "PRECIS_MASTER_KEY": key,
        "PRECIS_KEY_PEPPER": PEPPER,
        "PRECIS_GATEWAY_PORT": str(free_port()),
        "PRECIS_BATCH_ENGINE_URLS": engine_url,
        "PRECIS_REDIS_URL": "redis://127.0.0.1:1/0",
    }


@pytest.mark.parametrize("module", ["gateway", "workers.batch", "notifier"])
async def test_a_process_with_a_wrong_master_key_refuses_to_start(
    module: str,
    database: Database,
    database_url: str,
    processes: Processes,
    embedded_engine_url: str,
    master_key: MasterKey,
) -> None:
    async with database.transaction() as tx:
        await keep_canary(tx, master_key)
    wrong = _environment(database_url, OTHER_KEY, embedded_engine_url)
    process = processes.start(module, environment=wrong)
    assert await asyncio.to_thread(process.wait, 25) != 0
    told = process.log.read_text()
    assert "PRECIS_MASTER_KEY_PREVIOUS" in told
    assert "Traceback" not in told
    assert "gateway.listening" not in told


@pytest.fixture
def rotating(admin: Cli) -> Cli:
    admin.environment |= {
        "PRECIS_MASTER_KEY": OTHER_KEY,
        "PRECIS_MASTER_KEY_PREVIOUS": MASTER_KEY,
    }
    return admin


async def test_rotation_leaves_nothing_that_needs_the_old_key(
    rotating: Cli, database: Database, master_key: MasterKey
) -> None:
    async with database.transaction() as tx:
        await keep_canary(tx, master_key)
    tenant = await a_tenant(database)
    job_ids = [await a_job(database, tenant) for _ in range(3)]
    counted = await rotating.run("admin", "rotate-master-key", "--dry-run", "--json")
    assert counted.out == '{"renewed": 0, "left": 4}\n'

    done = await rotating.run("admin", "rotate-master-key", "--json")
    assert (done.status, done.out) == (0, '{"renewed": 4, "left": 0}\n'), done.err
    again = await rotating.run("admin", "rotate-master-key")
    assert (again.status, again.out) == (0, "0 renewed, 0 left\n")

    new = MasterKey(OTHER_KEY)
    [(secret,)] = await rows(database, "SELECT webhook_secret FROM tenant")
    label = f"webhook-secret:{tenant.id.hex}"
    assert new.open(secret, label=label).decode() == WEBHOOK_SECRET
    for job_id in job_ids:
        async with database.statement() as tx:
            wrapped = await find_wrapped_key(tx, job_id)
        assert wrapped is not None
        [(sealed,)] = await rows(
            database, "SELECT sealed FROM job_input WHERE job_id = :id", id=job_id
        )
        assert JobSeal.unwrap(job_id, wrapped, new).open_text(sealed)
    [(canary,)] = await rows(database, "SELECT sealed FROM canary")
    with pytest.raises(BoxBroken):
        master_key.open(canary, label="canary")
    acts = await rows(database, "SELECT details FROM audit ORDER BY id")
    assert sum(act.details["renewed"] for act in acts) == 4


async def test_a_row_in_use_is_left_and_found_by_the_next_run(
    rotating: Cli, database: Database
) -> None:
    tenant = await a_tenant(database)
    job_ids = [await a_job(database, tenant) for _ in range(3)]
    async with database.transaction() as tx:
        await tx.exec_driver_sql(
            f"SELECT FROM job_key WHERE job_id = '{job_ids[1]}' FOR UPDATE"
        )
        first = await rotating.run("admin", "rotate-master-key")
    assert (first.status, first.out) == (9, "3 renewed, 1 left\n")
    second = await rotating.run("admin", "rotate-master-key")
    assert (second.status, second.out) == (0, "1 renewed, 0 left\n")


async def test_what_no_key_opens_is_counted_and_left_as_it_is(
    admin: Cli, database: Database
) -> None:
    await a_tenant(database)
    admin.environment["PRECIS_MASTER_KEY"] = OTHER_KEY
    before = await rows(database, "SELECT webhook_secret FROM tenant")
    done = await admin.run("admin", "rotate-master-key")
    assert (done.status, done.out) == (9, "0 renewed, 1 left\n")
    assert "PRECIS_MASTER_KEY_PREVIOUS" in done.err
    assert await rows(database, "SELECT webhook_secret FROM tenant") == before
    assert await rows(database, "SELECT count(*) FROM canary") == [(0,)]
