"""Schemathesis over the OpenAPI document: no 5xx, and every answer as it is described.

The gateway runs in a process of its own, with a real Postgres and the embedded engine.
Each operation gets at least 200 requests, valid and broken, then chains of them follow
one another as the ids in the answers allow.
"""

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psycopg
import pytest
import schemathesis
from hypothesis import HealthCheck, settings
from schemathesis.generation.stateful import run_state_machine_as_test
from schemathesis.schemas import BaseSchema

from tests.fixtures.database import MASTER_KEY, PEPPER
from tests.integration.gateway.conftest import House, free_port, wait_for

EXAMPLES = 200
CHAINS = 40
STEPS = 10


@pytest.fixture(scope="module")
def fuzzed_url(
    house: House, engine_url: str, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[str]:
    """`python -m gateway`; at its end it has met no error that it did not expect."""
    port = free_port()
    log = tmp_path_factory.mktemp("fuzz") / "gateway.log"
    environment = {
        "PATH": os.environ["PATH"],
        "PRECIS_DATABASE_URL": house.database_url,
        "PRECIS_MASTER_KEY": MASTER_KEY,
        "PRECIS_KEY_PEPPER": PEPPER,
        "PRECIS_REALTIME_ENGINE_URLS": engine_url,
        "PRECIS_GATEWAY_PORT": str(port),
        "PRECIS_LOG_LEVEL": "WARNING",
        "PRECIS_LOG_FORMAT": "json",
    }
    with log.open("wb") as sink:
        gateway = subprocess.Popen(
            [sys.executable, "-m", "gateway"], env=environment, stderr=sink
        )
    try:
        wait_for(f"http://127.0.0.1:{port}/readyz")
        yield f"http://127.0.0.1:{port}"
    finally:
        gateway.terminate()
        assert gateway.wait(20) == 0
    _check_log(log)


def _check_log(log: Path) -> None:
    assert "request.failed" not in log.read_text()


@pytest.fixture
def api(fuzzed_url: str, house: House) -> BaseSchema:
    return schemathesis.openapi.from_url(
        f"{fuzzed_url}/openapi.json", headers=house.headers
    )


@pytest.fixture(autouse=True)
def room_for_endpoints(house: House) -> None:
    """A tenant may have a hundred endpoints: each part of the test begins with none."""
    with psycopg.connect(house.database_url) as connection:
        connection.execute("UPDATE webhook_endpoint SET state = 'deleted'")


operations = schemathesis.pytest.from_fixture("api")


@operations.parametrize()
@settings(max_examples=EXAMPLES, deadline=None, suppress_health_check=[*HealthCheck])
def test_every_operation_answers_as_described(
    case: schemathesis.Case[Any], house: House
) -> None:
    case.call_and_validate(headers=house.headers)


def test_chains_of_operations_answer_as_described(
    api: BaseSchema, house: House
) -> None:
    class Chains(api.as_state_machine()):  # type: ignore[misc]
        def get_call_kwargs(self, case: schemathesis.Case[Any]) -> dict[str, Any]:
            return {"headers": house.headers}

    run_state_machine_as_test(
        Chains,
        settings=settings(
            max_examples=CHAINS,
            stateful_step_count=STEPS,
            deadline=None,
            suppress_health_check=[*HealthCheck],
        ),
    )
