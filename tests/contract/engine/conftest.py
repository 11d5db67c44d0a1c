"""An engine to hold against the contract: the one named, or an embedded one of our own.

Name one with `--engine-url URL` (given together with this folder) or with
PRECIS_TEST_ENGINE_URL; it needs nothing but a model with a chat template.
"""

import os
from collections.abc import AsyncIterator, Iterator

import httpx
import pytest

from tests.contract.engine.process import EngineProcess
from tests.contract.engine.served import Served


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--engine-url", help="run the engine contract against this server")


@pytest.fixture(scope="session")
def engine_url(request: pytest.FixtureRequest) -> Iterator[str]:
    given = request.config.getoption("--engine-url", default=None)
    url = given or os.environ.get("PRECIS_TEST_ENGINE_URL")
    if url:
        yield url.rstrip("/")
        return
    with EngineProcess() as process:
        yield process.url


@pytest.fixture
async def engine(engine_url: str) -> AsyncIterator[httpx.AsyncClient]:
    limits = httpx.Limits(max_connections=None)
    async with httpx.AsyncClient(
        base_url=engine_url, timeout=60, limits=limits
    ) as client:
        yield client


@pytest.fixture
async def served(engine: httpx.AsyncClient) -> Served:
    card = (await engine.get("/v1/models")).json()["data"][0]
    return Served(model=card["id"], context=card["max_model_len"])
