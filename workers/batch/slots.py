"""How many jobs this process may hold, how much text, and which jobs are kept apart.

A job that lost its worker is suspect: it may be what kills workers. Mostly it is not,
and hundreds were lost with it, so suspects first run in companies of the square root of
the room, and only who lost a second worker runs alone: whoever kills is found after few
deaths, and a room of innocents is through after about as many turns as one company has
members. A suspect that has got further than before is none any more.
"""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from math import isqrt
from typing import Final

_FIRST_RETRY: Final = 2


class Slots:
    """Room for jobs; suspects have it to themselves."""

    def __init__(self, total: int) -> None:
        self.total = total
        self._taken = 0
        self._suspects = 0
        self._company = 0
        self._changed = asyncio.Condition()

    @property
    def taken(self) -> int:
        return self._taken

    async def take(self, wanted: int) -> int:
        """Wait for room and take up to `wanted` slots, at least one."""
        async with self._changed:
            await self._changed.wait_for(
                lambda: self._taken < self.total and not self._suspects
            )
            granted = min(wanted, self.total - self._taken)
            self._taken += granted
            return granted

    async def give_back(self, count: int) -> None:
        async with self._changed:
            self._taken -= count
            self._changed.notify_all()

    def admits_suspect(self, *, attempt: int) -> bool:
        """Whether those who are apart here now, if any, would have it with them."""
        company = min(self._company, self._company_of(attempt))
        return self._suspects == 0 or self._suspects < company

    @asynccontextmanager
    async def apart(
        self, *, attempt: int
    ) -> AsyncIterator[Callable[[], Awaitable[None]]]:
        """Keep the room for suspects: nobody new comes in, the others finish first.

        The caller holds one slot already and was admitted. Gives what ends this for
        one that is suspect no more, before its work is done.
        """
        self._suspects += 1
        self._company = self._company_of(attempt)
        is_apart = True

        async def rejoin() -> None:
            nonlocal is_apart
            if is_apart:
                is_apart = False
                self._suspects -= 1
                async with self._changed:
                    self._changed.notify_all()

        try:
            async with self._changed:
                self._changed.notify_all()
                await self._changed.wait_for(lambda: self._taken == self._suspects)
            yield rejoin
        finally:
            await rejoin()

    def _company_of(self, attempt: int) -> int:
        return isqrt(self.total) if attempt <= _FIRST_RETRY else 1


class TextBudget:
    """Bounds the text in memory; a text above the whole budget gets it all."""

    def __init__(self, characters: int) -> None:
        self._total = characters
        self._free = characters
        self._changed = asyncio.Condition()

    @asynccontextmanager
    async def hold(self, characters: int) -> AsyncIterator[None]:
        share = min(characters, self._total)
        async with self._changed:
            await self._changed.wait_for(lambda: self._free >= share)
            self._free -= share
        try:
            yield
        finally:
            async with self._changed:
                self._free += share
                self._changed.notify_all()
