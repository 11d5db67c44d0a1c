"""An engine with a pace, a capacity and a health that a figure's test sets.

Like a GPU it works on so many requests at once and lets the others wait. Broken, it
answers every request with an error, probes included.
"""

import asyncio
from dataclasses import dataclass, field
from typing import Any, Final

from benchmarks.stub_engine import SUMMARY
from tests.scripted_engine import Call, ScriptedEngine, completion

_BROKEN: Final = (500, {"error": {"message": "out of order", "code": 500}})


@dataclass
class PacedEngine(ScriptedEngine):
    seconds: float = 0.2
    """What each answer takes, once it is its turn."""
    capacity: int = 1000
    is_broken: bool = False
    refused: int = 0
    """Requests of any kind that met it broken."""
    _seats: asyncio.Semaphore = field(init=False)

    def __post_init__(self) -> None:
        self._seats = asyncio.Semaphore(self.capacity)
        self.answer = self._at_its_pace

    async def _complete(
        self, request: dict[str, Any], reader: asyncio.StreamReader
    ) -> tuple[int, dict[str, Any]]:
        if self.is_broken:
            self.refused += 1
            return _BROKEN
        return await super()._complete(request, reader)

    async def _at_its_pace(self, _: Call) -> tuple[int, dict[str, Any]]:
        async with self._seats:
            await asyncio.sleep(self.seconds)
        return completion(SUMMARY)
