"""F14: five times what the engine can do, and it still does what it can.

The peak is what as many callers get as the pool has seats for, each asking again at
once. Then five times as many requests come each second, whether the earlier ones were
answered or not. Both alternate: what else runs on the machine meets both alike.
"""

import asyncio
import statistics
import time
from collections.abc import Callable, Coroutine
from dataclasses import dataclass, field
from typing import Any, Final

import pytest

from plumbing.database import Database
from tests.builders import a_tenant
from tests.faults.front import A_TEXT
from tests.faults.gateway.houses import own_memory, start_engine, start_fronts
from tests.faults.gateway.wire import Answer, Lines, a_post
from tests.figures.record import record
from tests.fixtures.processes import Processes

SEATS: Final = 8
ENGINE_SECONDS: Final = 0.4
ROUNDS: Final = 3
SECONDS: Final = 8.0
TIMES: Final = 5
GOAL_SHARE: Final = 0.9
GOAL_REFUSAL_SECONDS: Final = 0.25
MAX_GROWTH: Final = 8 * 1024 * 1024


@dataclass
class Window:
    """The answers of one phase, and how much was done in it."""

    answers: list[Answer] = field(default_factory=list)
    per_second: float = 0.0

    @property
    def refusals(self) -> list[float]:
        return [each.seconds for each in self.answers if each.status == 503]


class Callers:
    def __init__(self, lines: Lines, request: bytes) -> None:
        self._lines = lines
        self._request = request

    async def peak(self) -> Window:
        """A few more callers than seats, so that no seat is ever cold."""
        return await self._measure(self._ask_again_and_again, callers=SEATS + 2)

    async def overload(self, per_second: float) -> Window:
        async def begin_all(window: Window, end: float) -> None:
            began, asked = time.monotonic(), 0
            async with asyncio.TaskGroup() as asking:
                while (now := time.monotonic()) < end:
                    while asked < (now - began) * per_second:
                        asking.create_task(self._ask(window))
                        asked += 1
                    await asyncio.sleep(0.005)

        return await self._measure(begin_all, callers=1)

    async def _measure(
        self, act: Callable[[Window, float], Coroutine[Any, Any, None]], *, callers: int
    ) -> Window:
        window, began = Window(), time.monotonic()
        async with asyncio.TaskGroup() as acting:
            for _ in range(callers):
                acting.create_task(act(window, began + SECONDS))
        done = sum(each.status == 200 for each in window.answers)
        window.per_second = done / (time.monotonic() - began)
        return window

    async def _ask_again_and_again(self, window: Window, end: float) -> None:
        while time.monotonic() < end:
            await self._ask(window)

    async def _ask(self, window: Window) -> None:
        window.answers.append(await self._lines.ask(self._request))


@pytest.mark.timeout(180)
async def test_f14_overload_costs_those_who_are_refused_a_moment_and_the_rest_nothing(
    database: Database, database_url: str, processes: Processes
) -> None:
    tenant = await a_tenant(database)
    url = await start_engine(processes, longest_seconds=ENGINE_SECONDS)
    (front,) = await start_fronts(
        processes,
        database_url,
        realtime_engine_urls=url,
        realtime_max_in_flight=SEATS,
    )
    body = {"text": A_TEXT, "tier": "realtime"}
    lines = Lines(front.port)
    callers = Callers(lines, a_post(tenant, body))
    peaks, overloads, sizes = [], [], []
    for _ in range(ROUNDS):
        peaks.append(await callers.peak())
        overloads.append(await callers.overload(TIMES * peaks[-1].per_second))
        sizes.append(own_memory(front.process.pid))
    lines.leave()
    answers = [each for window in overloads for each in window.answers]
    assert {each.status for each in answers} == {200, 503}
    assert all(each.asks_to_repeat for each in answers if each.status == 503)
    shares = [
        over.per_second / peak.per_second
        for peak, over in zip(peaks, overloads, strict=True)
    ]
    refusals = sorted(each for window in overloads for each in window.refusals)
    p99 = refusals[int(0.99 * len(refusals))]
    assert statistics.median(shares) >= GOAL_SHARE, shares
    assert p99 <= GOAL_REFUSAL_SECONDS, (p99, refusals[-1])
    assert sizes[-1] - sizes[0] <= MAX_GROWTH, sizes
    record(
        figure="F14",
        what=f"realtime calls at {TIMES} times the peak, against a pool of {SEATS} seats",
        size=f"{ROUNDS} x {SECONDS:.0f} s, {len(answers)} calls",
        result={
            "goodput / peak (median)": round(statistics.median(shares), 2),
            "refused after, p99 seconds": round(p99, 3),
            "refused after, worst seconds": round(refusals[-1], 3),
            "memory from first to last overload, MB": round(
                (sizes[-1] - sizes[0]) / 1e6, 1
            ),
        },
        goal="goodput >= 0.9 of the peak, refused in 250 ms, memory flat",
        command="make test-faults",
    )
