"""A real gateway process before a Postgres, and a caller who times its answers."""

import asyncio
import time
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any, Final

import httpx

from tests.builders import TenantForTests
from tests.fixtures.database import MASTER_KEY, PEPPER
from tests.fixtures.processes import Process, Processes, free_port

A_TEXT: Final = (
    "The council met on Tuesday to talk about buses. Forty electric ones will be "
    "bought next year. The mayor said that the old ones will be sold."
)
IN_BATCH: Final = {"text": A_TEXT, "tier": "batch"}
WHEN_REFUSED: Final = 1.0
"""Seconds until callers are told that nobody listens at Postgres's door."""
WHEN_FROZEN: Final = 2.0
HEALED: Final = 5.0


@dataclass(frozen=True)
class Timed:
    """An answer, and how long it took from the request."""

    status: int
    code: str | None
    seconds: float
    response: httpx.Response


class Front:
    """One gateway process; started again on the same port after an end."""

    def __init__(
        self, processes: Processes, database_url: str, **settings: object
    ) -> None:
        self._processes = processes
        self.port = free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        self._environment = {
            "PRECIS_DATABASE_URL": database_url,
            "PRECIS_MASTER_KEY": MASTER_KEY,
            "PRECIS_KEY_PEPPER": PEPPER,
            "PRECIS_GATEWAY_PORT": str(self.port),
            "PRECIS_LOG_LEVEL": "WARNING",
            "PRECIS_LOG_FORMAT": "json",
        } | {f"PRECIS_{name}".upper(): str(value) for name, value in settings.items()}
        self.process = self._start()

    async def ready(self) -> "Front":
        await asyncio.to_thread(self.process.wait_ready, f"{self.url}/readyz")
        return self

    async def start_again(self) -> None:
        self.process = self._start()
        await self.ready()

    def _start(self) -> Process:
        return self._processes.start("gateway", environment=self._environment)


class Caller:
    """One tenant's client; every answer is timed."""

    def __init__(self, client: httpx.AsyncClient) -> None:
        self.client = client

    async def post(self, body: dict[str, Any] | None = None, **headers: str) -> Timed:
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        return await self._timed(
            self.client.post("/v1/summaries", json=body or IN_BATCH, headers=named)
        )

    async def get(self, path: str) -> Timed:
        return await self._timed(self.client.get(path))

    async def _timed(self, call: Any) -> Timed:
        began = time.monotonic()
        response: httpx.Response = await call
        seconds = time.monotonic() - began
        is_problem = response.headers["content-type"] == "application/problem+json"
        code = response.json()["code"] if is_problem else None
        return Timed(response.status_code, code, seconds, response)


@asynccontextmanager
async def a_caller(url: str, tenant: TenantForTests) -> AsyncIterator[Caller]:
    async with httpx.AsyncClient(
        base_url=url,
        headers={"Authorization": f"Bearer {tenant.api_key}"},
        timeout=60,
        trust_env=False,
        limits=httpx.Limits(max_connections=None),
    ) as client:
        yield Caller(client)


def check_refused(answers: Sequence[Timed], *, within: float) -> None:
    """All were told in time that Postgres is away, and when to come back."""
    for answer in answers:
        assert (answer.status, answer.code) == (503, "database_unavailable")
        assert int(answer.response.headers["retry-after"]) >= 1
    assert max(answer.seconds for answer in answers) < within
