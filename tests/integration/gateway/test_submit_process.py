"""`python -m gateway` as a process: it starts, says what it lacks, and stops in time."""

import asyncio
import os
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator

import httpx
import pytest

from plumbing.database import Database
from tests.builders import a_tenant, rows
from tests.fixtures.database import MASTER_KEY, PEPPER
from tests.integration.gateway.conftest import bearer
from tests.waiting import until


@pytest.fixture
def port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as probe:
        free: int = probe.getsockname()[1]
    return free


@pytest.fixture
def process(database_url: str, port: int) -> Iterator[subprocess.Popen[bytes]]:
    started = subprocess.Popen(
        [sys.executable, "-m", "gateway"],
        env={
            "PATH": os.environ["PATH"],
            "PRECIS_DATABASE_URL": database_url,
            "PRECIS_MASTER_KEY": MASTER_KEY,
            "PRECIS_KEY_PEPPER": PEPPER,
            "PRECIS_GATEWAY_PORT": str(port),
            "PRECIS_LOG_LEVEL": "WARNING",
        },
    )
    yield started
    started.kill()
    started.wait()


async def test_a_stop_lets_waiting_callers_go_with_their_job(
    process: subprocess.Popen[bytes], port: int, database: Database
) -> None:
    tenant = await a_tenant(database)
    async with httpx.AsyncClient(
        base_url=f"http://127.0.0.1:{port}",
        headers=bearer(tenant) | {"Prefer": "wait=60"},
        timeout=30,
        trust_env=False,
    ) as client:

        async def is_up() -> bool:
            try:
                return (await client.get("/healthz")).status_code == 200
            except httpx.TransportError:
                return False

        await until(is_up)
        body = {"text": "A text for later.", "tier": "batch"}
        waiting = asyncio.create_task(client.post("/v1/summaries", json=body))

        async def is_accepted() -> bool:
            return bool(await rows(database, "SELECT 1 FROM job"))

        await until(is_accepted)
        process.send_signal(signal.SIGTERM)
        assert (await waiting).status_code == 202
    assert await asyncio.to_thread(process.wait, 10) == 0


def test_what_is_not_set_is_named() -> None:
    told = subprocess.run(
        [sys.executable, "-m", "gateway"],
        env={"PATH": os.environ["PATH"]},
        capture_output=True,
        timeout=30,
        check=False,
    )
    assert told.returncode == 2
    for name in (b"PRECIS_DATABASE_URL", b"PRECIS_MASTER_KEY", b"PRECIS_KEY_PEPPER"):
        assert name in told.stderr
