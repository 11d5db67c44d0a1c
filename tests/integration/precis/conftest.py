"""A real gateway process on a real Postgres, and the command line as people run it."""

import asyncio
import os
import sys
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass
from pathlib import Path
from uuid import uuid4

import psycopg
import pytest
from psycopg import sql
from sqlalchemy.engine import make_url

from plumbing.database import Database
from tests.builders import TenantForTests, a_tenant
from tests.fixtures.database import MASTER_KEY, PEPPER, login_url
from tests.fixtures.processes import Processes, free_port
from tests.integration.precis.worker_hand import WorkerHand

_SECONDS = 60


@dataclass(frozen=True)
class Outcome:
    status: int
    out: str
    err: str


class Cli:
    """`python -m precis` with an environment of its own, in a folder of its own."""

    def __init__(self, folder: Path, environment: dict[str, str]) -> None:
        self.folder = folder
        self.environment = environment

    async def start(self, *arguments: str) -> asyncio.subprocess.Process:
        base = {name: os.environ[name] for name in ("PATH", "HOME")}
        root = str(Path(__file__).parents[3])
        return await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "precis", *arguments),
            cwd=self.folder,
            env=base | {"PYTHONPATH": root} | self.environment,
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
        )

    async def run(self, *arguments: str, typed: str = "") -> Outcome:
        process = await self.start(*arguments)
        return await finish(process, typed=typed)


async def finish(process: asyncio.subprocess.Process, *, typed: str = "") -> Outcome:
    try:
        async with asyncio.timeout(_SECONDS):
            out, err = await process.communicate(typed.encode())
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()
    assert process.returncode is not None
    return Outcome(process.returncode, out.decode(), err.decode())


@pytest.fixture(scope="session")
def service_database_url(postgres_url: str, template_url: str) -> str:
    name = f"precis_{uuid4().hex}"
    template = str(make_url(template_url).database)
    with psycopg.connect(postgres_url, autocommit=True) as connection:
        connection.execute(
            sql.SQL("CREATE DATABASE {} TEMPLATE {}").format(
                sql.Identifier(name), sql.Identifier(template)
            )
        )
    url = make_url(postgres_url).set(database=name)
    return url.render_as_string(hide_password=False)


@pytest.fixture(scope="session")
def service_url(
    service_database_url: str,
    embedded_engine_url: str,
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[str]:
    """The gateway as `python -m gateway` runs it, with the embedded engine behind."""
    started, port = Processes(tmp_path_factory.mktemp("gateway")), free_port()
    url = f"http://127.0.0.1:{port}"
    environment = {
        "PRECIS_DATABASE_URL": login_url(service_database_url, "gateway"),
        "PRECIS_MASTER_KEY": MASTER_KEY,
        "PRECIS_KEY_PEPPER": PEPPER,
        "PRECIS_REALTIME_ENGINE_URLS": embedded_engine_url,
        "PRECIS_GATEWAY_PORT": str(port),
        "PRECIS_WEBHOOK_ALLOW_NETWORKS": "127.0.0.1/32",
        "PRECIS_LOG_LEVEL": "WARNING",
    }
    try:
        gateway = started.start("gateway", environment=environment)
        gateway.wait_ready(f"{url}/readyz")
        yield url
    finally:
        started.stop()


@pytest.fixture
async def service_database(service_database_url: str) -> AsyncIterator[Database]:
    opened = Database(service_database_url, pool_size=4)
    yield opened
    await opened.close()


@pytest.fixture
async def tenant(service_database: Database) -> TenantForTests:
    """A tenant of this test alone: its list is empty at first."""
    return await a_tenant(service_database)


@pytest.fixture
def worker(service_database: Database) -> WorkerHand:
    return WorkerHand(service_database)


@pytest.fixture
def cli(tmp_path: Path, service_url: str, tenant: TenantForTests) -> Cli:
    environment = {"PRECIS_URL": service_url, "PRECIS_API_KEY": tenant.api_key}
    return Cli(tmp_path, environment)


@pytest.fixture
def admin(tmp_path: Path, database_url: str) -> Cli:
    """The operator's command line, on a fresh database."""
    environment = {
        "PRECIS_DATABASE_URL": login_url(database_url, "operator"),
        "PRECIS_MASTER_KEY": MASTER_KEY,
        "PRECIS_KEY_PEPPER": PEPPER,
    }
    return Cli(tmp_path, environment)
