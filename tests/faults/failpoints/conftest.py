"""One warm stack for all failpoint tests, on the session's real servers."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import suppress
from pathlib import Path
from typing import Any
from uuid import uuid4

import psycopg
import pytest
import redis.asyncio
from sqlalchemy.engine import make_url

from benchmarks.stub_engine import SUMMARY
from plumbing.database import Database
from plumbing.kafka_topics import ensure_topics
from plumbing.settings import KafkaSettings
from tests.builders import a_tenant
from tests.chaos.evidence import OBSERVED, WEBHOOKS
from tests.chaos.journal import Journal
from tests.chaos.observer import Observer
from tests.chaos.receiver import Receiver
from tests.faults.failpoints.stack import LEASE_SECONDS, Stack
from tests.fixtures.database import MASTER_KEY, PEPPER
from tests.fixtures.processes import Processes
from tests.scripted_engine import Call, completion, scripted_engine


class PatientReceiver(Receiver):
    """Troubles are the failpoints' part here: this one accepts whatever comes."""

    def _choose(self, event: str) -> str:
        del event
        return "accepted"


@pytest.fixture(scope="package")
def stack_database_url(postgres_url: str, template_url: str) -> str:
    """A database for all tests of this folder; it ends with the server."""
    name = f"failpoints_{uuid4().hex}"
    with psycopg.connect(postgres_url, autocommit=True) as connection:
        template = make_url(template_url).database
        connection.execute(f"CREATE DATABASE {name} TEMPLATE {template}".encode())
    url = make_url(postgres_url).set(database=name)
    return url.render_as_string(hide_password=False)


@pytest.fixture(scope="package")
async def stack(
    stack_database_url: str,
    valkey_url: str,
    kafka_bootstrap: str,
    tmp_path_factory: pytest.TempPathFactory,
) -> AsyncIterator[Stack]:
    """Everything is started and ready; what is left at the end is stopped."""
    folder = tmp_path_factory.mktemp("failpoints")
    async with redis.asyncio.Redis.from_url(valkey_url) as valkey:
        await valkey.flushall()
    kafka = await _kafka(kafka_bootstrap)
    database = Database(stack_database_url, pool_size=4)
    processes = Processes(folder)
    watching = asyncio.create_task(
        Observer(stack_database_url, Journal(folder / OBSERVED)).watch()
    )
    async with (
        scripted_engine() as engine,
        PatientReceiver(Journal(folder / WEBHOOKS), seed=0) as receiver,
    ):
        gate = asyncio.Event()
        gate.set()

        async def summarize_when_open(_: Call) -> tuple[int, dict[str, Any]]:
            await gate.wait()
            return completion(SUMMARY)

        engine.answer = summarize_when_open
        environment = kafka | {
            "PRECIS_DATABASE_URL": stack_database_url,
            "PRECIS_REDIS_URL": valkey_url,
            "PRECIS_BATCH_ENGINE_URLS": engine.url,
        }
        stack = Stack(
            database,
            stack_database_url,
            await a_tenant(database),
            environment | _short(folder),
            processes,
            folder,
            receiver.port,
            gate,
        )
        await asyncio.gather(
            stack.start("dispatcher"),
            stack.start("worker"),
            stack.start("worker"),
            stack.start("notifier"),
            stack.start("notifier"),
        )
        yield stack
        await asyncio.to_thread(processes.stop)
    watching.cancel()
    with suppress(asyncio.CancelledError):
        await watching
    await database.close()


async def _kafka(bootstrap: str) -> dict[str, str]:
    name = uuid4().hex[:8]
    told: dict[str, Any] = {
        "kafka_bootstrap": bootstrap,
        "kafka_topic": f"jobs-{name}",
        "kafka_dead_letter_topic": f"dead-{name}",
        "kafka_group": f"dispatcher-{name}",
    }
    topics = [told["kafka_topic"], told["kafka_dead_letter_topic"]]
    await ensure_topics(KafkaSettings(**told), topics, partitions=2)
    return {f"PRECIS_{key}".upper(): value for key, value in told.items()}


def _short(folder: Path) -> dict[str, str]:
    faults = folder / "faults"
    faults.mkdir()
    return {
        "PRECIS_ENVIRONMENT": "test",
        "PRECIS_FAILPOINTS": str(faults),
        "PRECIS_MASTER_KEY": MASTER_KEY,
        "PRECIS_KEY_PEPPER": PEPPER,
        "PRECIS_WEBHOOK_ALLOW_NETWORKS": "127.0.0.1/32",
        "PRECIS_JOB_LEASE": str(LEASE_SECONDS),
        "PRECIS_DELIVERY_LEASE": str(LEASE_SECONDS),
        "PRECIS_RECONCILE_INTERVAL": "0.1",
        "PRECIS_HINT_PATIENCE": "0.2",
        "PRECIS_STOP_GRACE": "1",
        "PRECIS_DATABASE_POOL_SIZE": "4",
        "PRECIS_ENGINE_CONTEXT": "1024",
        "PRECIS_WORKER_THREADS": "4",
        "PRECIS_LOG_FORMAT": "json",
    }
