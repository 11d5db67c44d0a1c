"""An engine that answers when it is told to, and gateways that share it."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass, field
from typing import Any

import pytest

from tests.faults.front import Front
from tests.fixtures.database import login_url
from tests.fixtures.processes import Processes
from tests.scripted_engine import Call, ScriptedEngine, first_words, scripted_engine

StartFront = Callable[..., Awaitable[Front]]


@dataclass
class GatedEngine:
    """Holds every call until its gate is opened."""

    scripted: ScriptedEngine
    gate: asyncio.Event = field(default_factory=asyncio.Event)

    async def answer(self, call: Call) -> tuple[int, dict[str, Any]]:
        await self.gate.wait()
        return await first_words(call)


@pytest.fixture
async def engine() -> AsyncIterator[GatedEngine]:
    async with scripted_engine() as scripted:
        gated = GatedEngine(scripted)
        scripted.answer = gated.answer
        yield gated


@pytest.fixture
def start_front(
    processes: Processes, database_url: str, engine: GatedEngine
) -> StartFront:
    async def start(*, starts: Processes = processes, **settings: object) -> Front:
        front = Front(
            starts,
            login_url(database_url, "gateway"),
            realtime_engine_urls=engine.scripted.url,
            **settings,
        )
        return await front.ready()

    return start
