"""The batch tier on servers of its own, with a line that may be cut before each.

Two dispatchers, two workers and a notifier are real processes under their own logins;
each server is reached through a proxy. A test breaks something and then calls `settle`:
the judge of the chaos runs has to find nothing.
"""

import asyncio
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final
from uuid import UUID

import httpx

from plumbing.kafka_topics import ensure_topics
from plumbing.settings import KafkaSettings
from tests.builders import A_TEXT, rows
from tests.faults.failpoints.expected import Kind
from tests.faults.failpoints.stack import Stack
from tests.faults.own_server import OwnServer
from tests.faults.proxy import Proxy
from tests.fixtures.processes import Process
from tests.scripted_engine import ScriptedEngine
from tests.waiting import until

KINDS: Final[Mapping[Kind, str]] = {
    "dispatcher": "workers.dispatcher",
    "worker": "workers.batch",
    "notifier": "notifier",
}
MANY_CHUNKS: Final = "\n\n".join(
    f"Chapter {town}\n\n"
    + " ".join(
        f"House {house} of town {town} was built in the year {1500 + 20 * town + house}"
        f" by {house * town + 2} masons, and {house + 3} families live there."
        for house in range(1, 15)
    )
    for town in range(1, 6)
)
_UNSENT: Final = "SELECT count(*) FROM outbox WHERE job_id = ANY(:ids)"


@dataclass(kw_only=True)
class Tier(Stack):
    engine: ScriptedEngine
    valkey: OwnServer
    kafka: OwnServer
    lines: Mapping[str, Proxy]
    """To each server, and to Postgres from each kind of process."""
    topics: Sequence[str]
    logins: Mapping[Kind, str]
    """How each kind of process is told to reach Postgres."""

    async def start(self, kind: Kind) -> None:
        process = self.processes.start(KINDS[kind], environment=self.told(kind))
        self.running.setdefault(kind, []).append(process)
        # In a thread: the engine that the process looks for is served by this loop.
        await asyncio.to_thread(process.wait_ready)

    def told(self, kind: Kind) -> dict[str, str]:
        """What a process of the kind finds in its environment."""
        login = {"PRECIS_DATABASE_URL": self.logins[kind]}
        return self.environment | login | self.changes.get(kind, {})

    async def make_topics(self) -> None:
        """As the operator's job does, once Kafka has none."""
        bootstrap = self.environment["PRECIS_KAFKA_BOOTSTRAP"]
        settings = KafkaSettings(kafka_bootstrap=bootstrap)
        await ensure_topics(settings, self.topics, partitions=2)

    async def heal(self) -> None:
        """Undo what a test has left: servers, lines and processes are as before."""
        for proxy in self.lines.values():
            proxy.heal()
            await proxy.accept()
        await asyncio.gather(self.valkey.restore(), self.kafka.restore())
        await super().heal()

    async def take(self, count: int = 3, text: str = A_TEXT) -> list[UUID]:
        return await self.submit(*[text] * count)

    async def settle(
        self,
        jobs: Sequence[UUID],
        *,
        within: float = 15,
        state: str = "succeeded",
        attempts: int = 1,
    ) -> None:
        """Everything came to its end by itself, in time, and nobody was burnt."""
        began = time.monotonic()
        await self.wait_quiet(jobs)
        took = time.monotonic() - began
        self.judge(jobs)
        ended = await rows(
            self.database,
            "SELECT state, attempt FROM job WHERE id = ANY(:ids)",
            ids=list(jobs),
        )
        assert {each.state for each in ended} == {state}
        assert max(each.attempt for each in ended) <= attempts
        assert took < within, f"it took {took:.1f} s"

    async def wait_states(self, jobs: Sequence[UUID], state: str, **how: Any) -> None:
        """Until all of these are in the state."""

        async def are_there() -> bool:
            found = await rows(
                self.database,
                "SELECT count(*) FROM job WHERE id = ANY(:ids) AND state = :state",
                ids=list(jobs),
                state=state,
            )
            return bool(found[0][0] == len(jobs))

        await until(are_there, what=f"not all are {state}", **how)

    async def count_unsent(self, jobs: Sequence[UUID]) -> int:
        """Hints of these jobs that Kafka has not taken yet."""
        return int((await rows(self.database, _UNSENT, ids=list(jobs)))[0][0])

    async def wait_sent(self, jobs: Sequence[UUID]) -> None:
        async def are_sent() -> bool:
            return await self.count_unsent(jobs) == 0

        await until(are_sent, what="hints are left")

    async def wait_noticed(self, kind: Kind, word: str = "loop.outage") -> None:
        """Until a process of the kind writes the word into its log once more."""
        before = self._count(kind, word)

        async def has_noticed() -> bool:
            return self._count(kind, word) > before

        await until(has_noticed, what=f"no {kind} says {word}")

    def find_ended(self, kind: Kind) -> list[Process]:
        """Those that a supervisor would have to start anew."""
        return [each for each in self.running[kind] if each.has_ended]

    def _count(self, kind: Kind, word: str) -> int:
        logs = (each.log for each in self.running[kind])
        return sum(log.read_text(errors="replace").count(word) for log in logs)

    async def wait_asked(self, count: int = 1) -> None:
        """Until the engine has so many calls in hand."""

        async def is_asked() -> bool:
            return self.engine.open_calls >= count

        await until(is_asked, what="nobody asks the engine")


async def measure(process: Process, name: str) -> float:
    """A metric of a process, summed over its labels, as its operator would see it."""
    async with httpx.AsyncClient(trust_env=False) as client:
        url = f"http://127.0.0.1:{process.health_port}/metrics"
        lines = (await client.get(url)).text.splitlines()
    found = [line for line in lines if line.startswith((f"{name} ", f"{name}{{"))]
    return sum(float(line.rpartition(" ")[2]) for line in found)
