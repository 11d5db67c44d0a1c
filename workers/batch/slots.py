"""How many jobs this process may hold, how much text, and when a job must be alone."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager


class Slots:
    """Room for jobs. A suspect job (it lost two workers) gets the room alone."""

    def __init__(self, total: int) -> None:
        self.total = total
        self._taken = 0
        self.is_alone = False
        """A suspect job has the room to itself, or waits for the others to finish."""
        self._changed = asyncio.Condition()

    @property
    def taken(self) -> int:
        return self._taken

    async def take(self, wanted: int) -> int:
        """Wait for room and take up to `wanted` slots, at least one."""
        async with self._changed:
            await self._changed.wait_for(
                lambda: self._taken < self.total and not self.is_alone
            )
            granted = min(wanted, self.total - self._taken)
            self._taken += granted
            return granted

    async def give_back(self, count: int) -> None:
        async with self._changed:
            self._taken -= count
            self._changed.notify_all()

    @asynccontextmanager
    async def alone(self) -> AsyncIterator[Callable[[], Awaitable[None]]]:
        """Hold the only slot: nobody new comes in, the others finish first.

        The caller holds one slot already, and has seen that nobody `is_alone`. Gives
        what lets the others in before the block's end, once it is suspect no more.
        """
        self.is_alone = is_mine = True

        async def let_in() -> None:
            nonlocal is_mine
            if is_mine:
                self.is_alone = is_mine = False
                async with self._changed:
                    self._changed.notify_all()

        try:
            async with self._changed:
                await self._changed.wait_for(lambda: self._taken == 1)
            yield let_in
        finally:
            await let_in()


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
