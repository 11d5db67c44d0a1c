"""The batch tier of a figure: as many real processes as it asks for, and their keeper.

Servers are the session's, processes and their journals those of the failpoint tests;
here is only what figures need beside them: a fresh start, restarts as a supervisor
does them, and times as the database saw them.
"""

import asyncio
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final
from uuid import UUID, uuid4

import redis.asyncio

from plumbing.database import Database
from plumbing.kafka_topics import ensure_topics
from plumbing.settings import KafkaSettings
from tests.builders import a_tenant, rows
from tests.chaos.evidence import WEBHOOKS
from tests.chaos.journal import Journal
from tests.chaos.receiver import Receiver
from tests.faults.failpoints.expected import Kind
from tests.faults.failpoints.stack import LEASE_SECONDS, Stack
from tests.figures.paced_engine import PacedEngine
from tests.fixtures.database import MASTER_KEY, PEPPER
from tests.fixtures.processes import Processes
from tests.waiting import until

_GLANCE_SECONDS: Final = 0.1
_OPEN: Final = "SELECT count(*) FROM job WHERE id = ANY(:ids) AND finished_at IS NULL"


class PatientReceiver(Receiver):
    """Accepts whatever comes: the figures of this tier are not about receivers."""

    def _choose(self, event: str) -> str:
        del event
        return "accepted"


@dataclass(frozen=True, kw_only=True)
class Shape:
    """What a figure's tier looks like."""

    workers: int = 3
    slots: int = 8
    partitions: int = 2
    settings: Mapping[str, str] | None = None


@dataclass(frozen=True)
class Tier:
    stack: Stack
    engine: PacedEngine
    kafka: KafkaSettings

    async def wait_ended(self, jobs: Sequence[UUID], *, seconds: float) -> None:
        async def all_ended() -> bool:
            found = await self.ask(_OPEN, ids=list(jobs))
            return bool(found[0][0] == 0)

        await until(all_ended, seconds=seconds, what="jobs are still open")

    async def ask(self, query: str, **values: Any) -> list[Any]:
        return await rows(self.stack.database, query, **values)

    @asynccontextmanager
    async def kept_up(self) -> AsyncIterator[None]:
        """Whoever dies is started anew, as by a supervisor."""
        keeping = asyncio.create_task(self._keep())
        try:
            yield
        finally:
            if keeping.done():
                keeping.result()
            keeping.cancel()
            with suppress(asyncio.CancelledError):
                await keeping

    async def _keep(self) -> None:
        while True:
            async with asyncio.TaskGroup() as starts:
                for kind, processes in self.stack.running.items():
                    for each in list(processes):
                        if each._popen.poll() is not None:
                            starts.create_task(self.stack.replace(kind, each))
            await asyncio.sleep(_GLANCE_SECONDS)


@asynccontextmanager
async def open_tier(
    engine: PacedEngine,
    shape: Shape,
    *,
    database: Database,
    database_url: str,
    valkey_url: str,
    kafka_bootstrap: str,
    folder: Path,
) -> AsyncIterator[Tier]:
    """A dispatcher, a notifier and the workers, ready; all of them stopped at the end."""
    async with redis.asyncio.Redis.from_url(valkey_url) as valkey:
        await valkey.flushall()
    kafka = await _topics(kafka_bootstrap, partitions=shape.partitions)
    faults, journals, logs = (folder / name for name in ("faults", "journals", "logs"))
    for each in (faults, journals, logs):
        each.mkdir()
    processes = Processes(logs)
    server = await asyncio.start_server(engine.serve, "127.0.0.1", 0, limit=2**24)
    engine.url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
    async with PatientReceiver(Journal(journals / WEBHOOKS), seed=0) as receiver:
        told = {
            **_settings(kafka, shape),
            "PRECIS_DATABASE_URL": database_url,
            "PRECIS_REDIS_URL": valkey_url,
            "PRECIS_BATCH_ENGINE_URLS": engine.url,
            "PRECIS_FAILPOINTS": str(faults),
        }
        gate = asyncio.Event()
        tenant = await a_tenant(database)
        stack = Stack(
            database,
            database_url,
            tenant,
            told,
            processes,
            journals,
            receiver.port,
            gate,
        )
        kinds: list[Kind] = ["dispatcher", "notifier"]
        kinds += ("worker" for _ in range(shape.workers))
        try:
            await asyncio.gather(*(stack.start(kind) for kind in kinds))
            yield Tier(stack, engine, kafka)
        finally:
            await asyncio.to_thread(processes.stop)
            server.close()


async def _topics(bootstrap: str, *, partitions: int) -> KafkaSettings:
    name = uuid4().hex[:8]
    kafka = KafkaSettings(
        kafka_bootstrap=bootstrap,
        kafka_topic=f"jobs-{name}",
        kafka_dead_letter_topic=f"dead-{name}",
        kafka_group=f"dispatcher-{name}",
    )
    topics = [kafka.kafka_topic, kafka.kafka_dead_letter_topic]
    await ensure_topics(kafka, topics, partitions=partitions)
    return kafka


def _settings(kafka: KafkaSettings, shape: Shape) -> dict[str, str]:
    """Leases of 2 s, and what hangs on them in proportion."""
    return {
        "PRECIS_ENVIRONMENT": "test",
        "PRECIS_KAFKA_BOOTSTRAP": kafka.kafka_bootstrap,
        "PRECIS_KAFKA_TOPIC": kafka.kafka_topic,
        "PRECIS_KAFKA_DEAD_LETTER_TOPIC": kafka.kafka_dead_letter_topic,
        "PRECIS_KAFKA_GROUP": kafka.kafka_group,
        "PRECIS_MASTER_KEY": MASTER_KEY,
        "PRECIS_KEY_PEPPER": PEPPER,
        "PRECIS_WEBHOOK_ALLOW_NETWORKS": "127.0.0.1/32",
        "PRECIS_JOB_LEASE": str(LEASE_SECONDS),
        "PRECIS_DELIVERY_LEASE": str(LEASE_SECONDS),
        "PRECIS_RECONCILE_INTERVAL": "0.5",
        "PRECIS_HINT_PATIENCE": "1.5",
        "PRECIS_STOP_GRACE": "1",
        "PRECIS_DATABASE_POOL_SIZE": "4",
        "PRECIS_ENGINE_CONTEXT": "1024",
        "PRECIS_WORKER_THREADS": "4",
        "PRECIS_WORKER_SLOTS": str(shape.slots),
        "PRECIS_LOG_FORMAT": "json",
        **(shape.settings or {}),
    }
