"""A gateway as it runs: uvicorn on a socket, a real Postgres, the embedded engine."""

import asyncio
import os
import socket
import subprocess
import sys
import threading
import time
from collections.abc import AsyncIterator, Callable, Iterator
from dataclasses import dataclass, field
from uuid import uuid4

import httpx
import psycopg
import pytest
import uvloop
from psycopg import sql
from pydantic import SecretStr
from sqlalchemy.engine import make_url

from gateway.app import create_app
from gateway.composition import open_gateway
from gateway.serving import serve
from gateway.settings import GatewaySettings
from plumbing.database import Database
from tests.builders import TenantForTests, a_tenant
from tests.fixtures.database import MASTER_KEY, PEPPER, login_url

_PATIENCE_SECONDS = 20


@dataclass(frozen=True)
class House:
    """A running gateway, and two tenants who know nothing of each other."""

    url: str
    database_url: str
    database: Database
    tenant: TenantForTests
    stranger: TenantForTests
    headers: dict[str, str] = field(default_factory=dict)

    def row_counts(self) -> dict[str, int]:
        """How many rows each table has, whichever tables there are."""
        with psycopg.connect(self.database_url) as connection:
            tables = connection.execute(
                "SELECT tablename FROM pg_tables WHERE schemaname = 'public'"
            ).fetchall()
            return {name: _count(connection, name) for (name,) in sorted(tables)}


def _count(connection: psycopg.Connection, table: str) -> int:
    counted = connection.execute(
        sql.SQL("SELECT count(*) FROM {}").format(sql.Identifier(table))
    ).fetchone()
    assert counted is not None
    return int(counted[0])


class GatewayThread:
    """The gateway as its process serves it, on a loop of its own: tests may block."""

    def __init__(self, settings: GatewaySettings) -> None:
        self._settings = settings
        self._stop: Callable[[], object] = lambda: None
        self._thread = threading.Thread(target=self._run, daemon=True)
        self.url = f"http://{settings.gateway_host}:{settings.gateway_port}"

    def start(self) -> "GatewayThread":
        self._thread.start()
        wait_for(f"{self.url}/healthz")
        return self

    def stop(self) -> None:
        self._stop()
        self._thread.join(_PATIENCE_SECONDS)
        assert not self._thread.is_alive()

    def _run(self) -> None:
        uvloop.run(self._serve())

    async def _serve(self) -> None:
        stop = asyncio.Event()
        loop = asyncio.get_running_loop()
        self._stop = lambda: loop.call_soon_threadsafe(stop.set)
        async with open_gateway(self._settings) as gateway:
            await serve(create_app(gateway), gateway, stop=stop)


def gateway_settings(database_url: str, *engine_urls: str) -> GatewaySettings:
    return GatewaySettings(
        database_url=SecretStr(login_url(database_url, "gateway")),
        master_key=SecretStr(MASTER_KEY),
        key_pepper=SecretStr(PEPPER),
        realtime_engine_urls=engine_urls,
        gateway_port=free_port(),
        log_level="WARNING",
    )


@pytest.fixture(scope="session")
def engine_url() -> Iterator[str]:
    """The embedded engine in a process of its own."""
    port = free_port()
    options = ["--profile", "embedded", "--port", str(port)]
    engine = subprocess.Popen(
        [sys.executable, "-m", "realtime.engine", *options],
        env={"PATH": os.environ["PATH"], "PRECIS_LOG_LEVEL": "ERROR"},
    )
    url = f"http://127.0.0.1:{port}"
    try:
        wait_for(f"{url}/health")
        yield url
    finally:
        engine.terminate()
        engine.wait(_PATIENCE_SECONDS)


@pytest.fixture(scope="session")
def house_database_url(postgres_url: str, template_url: str) -> str:
    """One database for all tests of the house; they count rows, so nobody else's."""
    template = make_url(template_url).database
    name = f"house_{uuid4().hex}"
    with psycopg.connect(postgres_url, autocommit=True) as connection:
        connection.execute(
            sql.SQL("CREATE DATABASE {} TEMPLATE {}").format(
                sql.Identifier(name), sql.Identifier(str(template))
            )
        )
    url = make_url(postgres_url).set(database=name)
    return url.render_as_string(hide_password=False)


@pytest.fixture(scope="session")
async def house(house_database_url: str, engine_url: str) -> AsyncIterator[House]:
    gateway = GatewayThread(gateway_settings(house_database_url, engine_url)).start()
    database = Database(house_database_url, pool_size=4)
    tenant = await a_tenant(database)
    yield House(
        url=gateway.url,
        database_url=house_database_url,
        database=database,
        tenant=tenant,
        stranger=await a_tenant(database),
        headers=bearer(tenant),
    )
    await database.close()
    await asyncio.to_thread(gateway.stop)


@pytest.fixture
async def client(house: House) -> AsyncIterator[httpx.AsyncClient]:
    """Speaks to the gateway with the tenant's key."""
    async with httpx.AsyncClient(
        base_url=house.url, headers=house.headers, timeout=30, trust_env=False
    ) as opened:
        yield opened


@pytest.fixture
async def stranger(house: House) -> AsyncIterator[httpx.AsyncClient]:
    """Speaks to the gateway with the other tenant's key."""
    async with httpx.AsyncClient(
        base_url=house.url,
        headers=bearer(house.stranger),
        timeout=30,
        trust_env=False,
    ) as opened:
        yield opened


def bearer(tenant: TenantForTests) -> dict[str, str]:
    return {"Authorization": f"Bearer {tenant.api_key}"}


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as probe:
        port: int = probe.getsockname()[1]
        return port


def wait_for(url: str) -> None:
    until = time.monotonic() + _PATIENCE_SECONDS
    while True:
        try:
            if httpx.get(url, trust_env=False).status_code == 200:
                return
        except httpx.TransportError:
            pass
        assert time.monotonic() < until, f"{url} does not answer"
        time.sleep(0.05)
