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
from types import SimpleNamespace
from typing import Any, cast

import psycopg
import pytest
import schemathesis
from hypothesis import HealthCheck, Phase, settings
from schemathesis.core.transport import Response
from schemathesis.generation.stateful import run_state_machine_as_test

from gateway.app import create_app
from gateway.context import Gateway
from tests.fixtures.database import MASTER_KEY, PEPPER
from tests.integration.gateway.conftest import House, free_port, wait_for

EXAMPLES = 200
CHAINS = 120
STEPS = 10


@pytest.fixture(scope="module")
def fuzzed_url(
    house: House, engine_url: str, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[str]:
    """`python -m gateway`; at its end it has met no error that it did not expect."""
    port = free_port()
    empty_house(house)
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


def empty_house(house: House) -> None:
    """Without it a hundred endpoints would be too many, and no chain like another."""
    with psycopg.connect(house.database_url) as connection:
        connection.execute(
            "TRUNCATE job, webhook_endpoint, idempotency_key, outbox CASCADE"
        )


# The document is the same without a database; only with one can it be lived up to.
API = schemathesis.openapi.from_dict(
    create_app(cast("Gateway", SimpleNamespace(database=None))).openapi(),
    config=schemathesis.Config.from_dict(
        {
            "checks": {
                # Texts, URLs and addresses have rules that no schema can tell.
                "positive_data_acceptance": {"enabled": False},
                # 413 and 414 refuse as well.
                "negative_data_rejection": {
                    "expected-statuses": [400, 401, 404, 405, 409, 413, 414, 415, 422]
                },
            }
        }
    ),
)


def shorten_wait(case: schemathesis.Case[Any]) -> None:
    """Nobody works here on what waits in batch: a long wait would be a long test."""
    if "wait=" in str(case.headers.get("Prefer", "")):
        case.headers["Prefer"] = "wait=0"
    if str(case.query.get("wait", "")).strip() in {str(n) for n in range(1, 61)}:
        case.query["wait"] = 0


@API.parametrize()
@settings(max_examples=EXAMPLES, deadline=None, suppress_health_check=[*HealthCheck])
def test_an_operation_answers_as_described(
    case: schemathesis.Case[Any], fuzzed_url: str, house: House
) -> None:
    shorten_wait(case)
    case.call_and_validate(base_url=fuzzed_url, headers=house.headers)


def test_chains_of_operations_answer_as_described(
    fuzzed_url: str, house: House
) -> None:
    reached: set[str] = set()

    class Chains(API.as_state_machine()):  # type: ignore[misc]
        def setup(self) -> None:
            empty_house(house)

        def before_call(self, case: schemathesis.Case[Any]) -> None:
            shorten_wait(case)

        def get_call_kwargs(self, case: schemathesis.Case[Any]) -> dict[str, Any]:
            return {"base_url": fuzzed_url, "headers": house.headers}

        def after_call(self, response: Response, case: schemathesis.Case[Any]) -> None:
            if response.status_code < 300:
                reached.add(case.operation.label)

    run_state_machine_as_test(
        Chains,
        settings=settings(
            max_examples=CHAINS,
            stateful_step_count=STEPS,
            deadline=None,
            database=None,
            phases=[Phase.generate],
            suppress_health_check=[*HealthCheck],
        ),
    )
    # Only an id out of an earlier answer leads there.
    assert reached >= {
        "GET /v1/summaries/{summary_id}",
        "POST /v1/summaries/{summary_id}/cancel",
        "GET /v1/webhook-endpoints/{endpoint_id}",
        "DELETE /v1/webhook-endpoints/{endpoint_id}",
    }
