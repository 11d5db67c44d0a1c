"""The one who breaks things: one fault each second, all of them chosen by the seed.

A fault that lasts heals itself; at the end everything is healed at once. Each is in
the journal with its second, so that a story can be told afterwards.
"""

import asyncio
import random
import signal
import time
from collections import Counter
from collections.abc import Awaitable, Callable
from contextlib import suppress
from typing import Final

import psycopg
from redis.asyncio import Redis
from redis.exceptions import RedisError

from plumbing.kafka_client import administer
from plumbing.kafka_records import KafkaUnavailable
from plumbing.kafka_topics import ensure_topics
from plumbing.settings import KafkaSettings
from tests.chaos.journal import Journal
from tests.chaos.small_disk import SmallDisk
from tests.chaos.stack import Stack
from tests.faults.proxy import Flow

KINDS: Final = ("kill", "stop", "flush", "topic", "net", "pg", "disk")
_PARTITIONS: Final = 6
_ENDS_SESSIONS: Final = """
SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity
WHERE datname = current_database() AND pid <> pg_backend_pid()
"""
# A link that is cut for longer than a delivery's first wait would fail it twice, and
# its third try is minutes away.
_CUT_SECONDS: Final = (0.5, 3.0)
_STOP_SECONDS: Final = (3.0, 6.0)


class Faults:
    def __init__(
        self,
        stack: Stack,
        journal: Journal,
        *,
        seed: int,
        targets: str = "",
        disk: SmallDisk | None = None,
    ) -> None:
        """Only processes whose name begins with `targets` are killed or frozen."""
        self._stack = stack
        self._journal = journal
        self._random = random.Random(seed)
        self._names = sorted(n for n in stack.keeper.children if n.startswith(targets))
        self._disk = disk
        self._lasting: set[asyncio.Task[None]] = set()
        self.done: Counter[str] = Counter()
        self.last_at = 0.0

    async def strike(self, kinds: tuple[str, ...], *, every: float) -> None:
        """Until cancelled; the pace is kept whatever a fault takes."""
        deeds: dict[str, Callable[[], Awaitable[None]]] = {
            "kill": self._kill,
            "stop": self._stop,
            "flush": self._flush,
            "topic": self._topic,
            "net": self._net,
            "pg": self._pg,
            "disk": self._fill,
        }
        began, number = time.monotonic(), 0
        while kinds:
            number += 1
            await asyncio.sleep(began + number * every - time.monotonic())
            kind = self._random.choice(kinds)
            self.done[kind] += 1
            self.last_at = time.time()
            self._last(self._guarded(deeds[kind]))

    async def heal(self) -> None:
        """End all faults: what lasts is cut short, what is frozen wakes."""
        for task in list(self._lasting):
            task.cancel()
        await asyncio.gather(*self._lasting, return_exceptions=True)
        for child in self._stack.keeper.children.values():
            child.signal(signal.SIGCONT)
        for proxy in self._stack.proxies.values():
            proxy.heal()
        if "kafka" in self._stack.server_pids:
            await self._make_topic()

    def _last(self, work: Awaitable[None]) -> None:
        task = asyncio.ensure_future(work)
        self._lasting.add(task)
        task.add_done_callback(self._lasting.discard)

    async def _guarded(self, deed: Callable[[], Awaitable[None]]) -> None:
        # Another fault may have struck the very server that this one needs.
        with suppress(OSError, psycopg.Error, RedisError, KafkaUnavailable):
            await deed()

    def _note(self, fault: str, target: str, **more: object) -> None:
        self._journal.write("fault", fault=fault, target=target, **more)

    async def _kill(self) -> None:
        name = self._random.choice(self._names)
        self._note("kill", name)
        self._stack.keeper.children[name].signal(signal.SIGKILL)

    async def _stop(self) -> None:
        name = self._random.choice(self._names)
        seconds = self._random.uniform(*_STOP_SECONDS)
        child = self._stack.keeper.children[name]
        self._note("stop", name, seconds=round(seconds, 2))
        child.signal(signal.SIGSTOP)
        try:
            await asyncio.sleep(seconds)
        finally:
            child.signal(signal.SIGCONT)

    async def _flush(self) -> None:
        self._note("flush", "valkey")
        redis: Redis = Redis.from_url(self._stack.ready.redis_url, socket_timeout=2)
        async with redis:
            await redis.flushall()

    async def _topic(self) -> None:
        settings, topic = self._kafka, self._stack.ready.kafka.topic
        self._note("topic", topic)
        await administer(settings, lambda admin: admin.delete_topics([topic]))
        await self._make_topic()

    async def _make_topic(self) -> None:
        """A topic that is being deleted still exists: try until it is made anew."""
        end = time.monotonic() + 20
        while time.monotonic() < end:
            with suppress(KafkaUnavailable):
                await ensure_topics(
                    self._kafka, [self._stack.ready.kafka.topic], partitions=_PARTITIONS
                )
                return
            await asyncio.sleep(0.3)

    @property
    def _kafka(self) -> KafkaSettings:
        return KafkaSettings(kafka_bootstrap=self._stack.ready.kafka.bootstrap)

    async def _net(self) -> None:
        name = self._random.choice(sorted(self._stack.proxies))
        how = self._random.choice(("hold", "lose", "reset", "refuse", "slow"))
        seconds = self._random.uniform(*_CUT_SECONDS)
        self._note("net", name, how=how, seconds=round(seconds, 2))
        proxy = self._stack.proxies[name]
        try:
            match how:
                case "hold":
                    proxy.fault(Flow.HOLD)
                case "lose":
                    proxy.answers = Flow.LOSE
                case "reset":
                    await proxy.reset()
                case "refuse":
                    await proxy.refuse()
                case "slow":
                    proxy.latency = 0.2
            await asyncio.sleep(seconds)
        finally:
            if how == "refuse":
                await proxy.accept()
            proxy.heal()

    async def _pg(self) -> None:
        how = self._random.choice(("sessions", "restart", "crash"))
        self._note("pg", "postgres", how=how)
        if how == "sessions":
            connection = await psycopg.AsyncConnection.connect(
                self._stack.ready.database_url, autocommit=True, connect_timeout=2
            )
            async with connection:
                await connection.execute(_ENDS_SESSIONS)
            return
        number = signal.SIGINT if how == "restart" else signal.SIGQUIT
        with suppress(ProcessLookupError):
            # The local stack's own supervisor starts it anew.
            self._stack.servers._supervisor._children["postgres"].process.send_signal(
                number
            )

    async def _fill(self) -> None:
        assert self._disk is not None
        seconds = self._random.uniform(*_CUT_SECONDS)
        self._note("disk", str(self._disk.folder), seconds=round(seconds, 2))
        with self._disk.filled():
            await asyncio.sleep(seconds)
