"""F5: one job for each key, however often and from however many sides it is sent.

Twenty clients with fifty keys each; each key is sent by twenty at once to two gateways.
Three of ten of them hang up first, before their request is whole or while it is worked
on, and send it again. Every fifth key is a realtime call to an engine that takes its
time, so that reservations are made, given up and taken over all the while.
"""

import asyncio
import random
from collections import Counter, defaultdict
from dataclasses import dataclass, field
from typing import Any, Final

import pytest

from plumbing.database import Database
from tests.builders import TenantForTests, a_tenant, rows
from tests.faults.front import A_TEXT
from tests.faults.gateway.houses import start_engine, start_fronts
from tests.faults.gateway.wire import Answer, Lines, a_post, ask_and_leave
from tests.figures.record import record
from tests.fixtures.processes import Processes

CLIENTS: Final = 20
KEYS: Final = 50
REPEATS: Final = 20
SEED: Final = 5
LEAVE_FIRST: Final = 0.3
ENGINE_SECONDS: Final = 0.2
BODIES: Final[tuple[dict[str, Any], ...]] = (
    {"text": A_TEXT, "tier": "auto"},
    *[{"text": A_TEXT, "tier": "batch"}] * 4,
)


@dataclass
class Fire:
    """All that is sent, and all that came back."""

    lines: dict[int, Lines]
    """By the port of their gateway."""
    left: int = 0
    statuses: Counter[int] = field(default_factory=Counter)
    ids: defaultdict[tuple[TenantForTests, str], set[str]] = field(
        default_factory=lambda: defaultdict(set)
    )
    not_retryable: list[Answer] = field(default_factory=list)

    async def client(self, tenant: TenantForTests, *, place: int) -> None:
        for number in range(KEYS):
            key, body = f"key-{number}", BODIES[number % len(BODIES)]
            request = a_post(tenant, body, Idempotency_Key=key)
            await asyncio.gather(
                *(
                    self._insist(
                        request,
                        told=self.ids[tenant, key],
                        chance=random.Random(f"{SEED}:{place}:{number}:{repeat}"),
                    )
                    for repeat in range(REPEATS)
                )
            )

    async def _insist(
        self, request: bytes, *, told: set[str], chance: random.Random
    ) -> None:
        while chance.random() < LEAVE_FIRST:
            self.left += 1
            await ask_and_leave(
                chance.choice(list(self.lines)),
                request,
                after=chance.uniform(0, ENGINE_SECONDS),
                share=chance.choice((0.5, 1, 1, 1)),
            )
        while True:
            answer = await self.lines[chance.choice(list(self.lines))].ask(request)
            self.statuses[answer.status] += 1
            if answer.status in {200, 202}:
                told.add(answer.document["id"])
                return
            if not answer.asks_to_repeat:
                self.not_retryable.append(answer)
                return
            await asyncio.sleep(chance.uniform(2 * ENGINE_SECONDS, 5 * ENGINE_SECONDS))


@pytest.fixture
async def ports(processes: Processes, database_url: str) -> list[int]:
    url = await start_engine(processes, longest_seconds=ENGINE_SECONDS)
    fronts = await start_fronts(
        processes, database_url, count=2, realtime_engine_urls=url
    )
    return [front.port for front in fronts]


@pytest.mark.timeout(300)
async def test_f05_one_job_for_each_key(database: Database, ports: list[int]) -> None:
    tenants = [await a_tenant(database) for _ in range(CLIENTS)]
    fire = Fire({port: Lines(port) for port in ports})
    await asyncio.gather(
        *(fire.client(tenant, place=place) for place, tenant in enumerate(tenants))
    )
    for lines in fire.lines.values():
        lines.leave()
    assert fire.not_retryable == []
    assert len(fire.ids) == CLIENTS * KEYS
    assert {len(ids) for ids in fire.ids.values()} == {1}
    jobs = await rows(database, "SELECT tenant_id, count(*) FROM job GROUP BY 1")
    assert dict(map(tuple, jobs)) == {tenant.id: KEYS for tenant in tenants}
    keys = await rows(database, "SELECT lease_until FROM idempotency_key")
    assert [tuple(key) for key in keys] == [(None,)] * (CLIENTS * KEYS)
    record(
        figure="F5",
        what="concurrent repeats of one Idempotency-Key, with random disconnects, "
        "to two gateways",
        size=f"{CLIENTS} clients x {KEYS} keys x {REPEATS} repeats at once "
        "(a tenth of the clients)",
        seed=SEED,
        result={
            "jobs": len(jobs) * KEYS,
            "keys": len(fire.ids),
            "answers": fire.statuses.total(),
            "hung up before": fire.left,
            "told to repeat": fire.statuses[409] + fire.statuses[503],
            "5xx that are not retryable": 0,
        },
        goal="exactly one job per key, no 5xx that is not retryable",
        command="make test-faults",
    )
