"""The batch tier on real parts: Postgres, Valkey, Kafka and processes of our own."""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Any
from uuid import UUID, uuid4

import pytest
import redis.asyncio

from jobs.lifecycle import FINAL, State
from jobs.store.job_store import find_states
from plumbing.database import Database
from plumbing.kafka_topics import ensure_topics
from plumbing.settings import KafkaSettings
from tests.fixtures.database import MASTER_KEY, PEPPER, login_url
from tests.fixtures.processes import Process, Processes
from tests.scripted_engine import ScriptedEngine, scripted_engine
from tests.waiting import until

LOGIN_OF = {"workers.batch": "worker", "workers.dispatcher": "dispatcher"}


@dataclass
class BatchTier:
    database: Database
    engine: ScriptedEngine
    kafka: KafkaSettings
    environment: dict[str, str]
    processes: Processes

    async def start_worker(self, **changes: str) -> Process:
        return await self._start("workers.batch", changes)

    async def start_dispatcher(self, **changes: str) -> Process:
        return await self._start("workers.dispatcher", changes)

    async def stop(self, process: Process) -> int:
        return await asyncio.to_thread(process.stop)

    async def _start(self, module: str, changes: dict[str, str]) -> Process:
        login = login_url(self.environment["PRECIS_DATABASE_URL"], LOGIN_OF[module])
        told = self.environment | {"PRECIS_DATABASE_URL": login} | changes
        process = self.processes.start(module, environment=told)
        # In a thread: the engine that the process looks for is served by this loop.
        await asyncio.to_thread(process.wait_ready)
        return process

    async def state(self, job_id: UUID) -> State:
        async with self.database.statement() as tx:
            return (await find_states(tx, [job_id]))[job_id]

    async def wait_final(self, *job_ids: UUID, seconds: float = 20) -> set[State]:
        async def all_final() -> bool:
            async with self.database.statement() as tx:
                states = await find_states(tx, job_ids)
            return len(states) == len(job_ids) and set(states.values()) <= FINAL

        await until(all_final, seconds=seconds, what="jobs are not final")
        async with self.database.statement() as tx:
            return set((await find_states(tx, job_ids)).values())


@pytest.fixture
async def engine() -> AsyncIterator[ScriptedEngine]:
    async with scripted_engine() as serving:
        yield serving


@pytest.fixture
async def batch(
    database: Database,
    database_url: str,
    valkey_url: str,
    kafka_bootstrap: str,
    processes: Processes,
    engine: ScriptedEngine,
) -> BatchTier:
    """An empty Valkey, topics of the test's own, nothing of ours started yet."""
    async with redis.asyncio.Redis.from_url(valkey_url) as valkey:
        await valkey.flushall()
    name = uuid4().hex[:8]
    settings: dict[str, Any] = {
        "kafka_bootstrap": kafka_bootstrap,
        "kafka_topic": f"jobs-{name}",
        "kafka_dead_letter_topic": f"dead-{name}",
        "kafka_group": f"dispatcher-{name}",
    }
    kafka = KafkaSettings(**settings)
    await ensure_topics(
        kafka, [kafka.kafka_topic, kafka.kafka_dead_letter_topic], partitions=2
    )
    environment = {
        f"PRECIS_{key}".upper(): value for key, value in settings.items()
    } | {
        "PRECIS_DATABASE_URL": database_url,
        "PRECIS_REDIS_URL": valkey_url,
        "PRECIS_BATCH_ENGINE_URLS": engine.url,
        "PRECIS_MASTER_KEY": MASTER_KEY,
        "PRECIS_KEY_PEPPER": PEPPER,
        "PRECIS_JOB_LEASE": "PT2S",
        "PRECIS_STOP_GRACE": "PT1S",
        "PRECIS_DATABASE_POOL_SIZE": "4",
    }
    return BatchTier(database, engine, kafka, environment, processes)
