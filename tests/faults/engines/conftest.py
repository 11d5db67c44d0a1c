"""A real engine of the test's own, behind a line that may be cut, slow or garbled."""

from collections.abc import AsyncIterator

import pytest

from tests.faults.engines.own_engine import OwnEngine
from tests.faults.proxy import Proxy
from tests.fixtures.processes import Processes, free_port


@pytest.fixture(scope="module")
async def kept_engine(
    tmp_path_factory: pytest.TempPathFactory,
) -> AsyncIterator[OwnEngine]:
    processes, port = Processes(tmp_path_factory.mktemp("engine")), free_port()
    async with Proxy("127.0.0.1", port) as line:
        engine = OwnEngine(processes, port, line)
        await engine.start()
        yield engine
        engine.restore()
        await engine.stop()


@pytest.fixture
async def engine(kept_engine: OwnEngine) -> OwnEngine:
    """It is up and its line is whole when the test begins."""
    await kept_engine.mend()
    return kept_engine
