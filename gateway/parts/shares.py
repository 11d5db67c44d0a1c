"""A capacity that all tenants use, and of which one tenant holds a share at the most.

Who finds no room waits in the order of coming; a tenant whose share is used up is
passed over by the others. What the capacity is made of (bytes, turns) and how much of
it a request needs is the caller's matter. One event loop, no locks.
"""

import asyncio
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from typing import NamedTuple
from uuid import UUID


class NoRoom(Exception):
    """It did not become free in time."""


class _Waiter(NamedTuple):
    tenant_id: UUID
    amount: int
    granted: asyncio.Future[None]


class Shares:
    def __init__(self, capacity: int, *, share: int) -> None:
        self._free = capacity
        self._share = share
        self._held: dict[UUID, int] = {}
        self._waiting: deque[_Waiter] = deque()

    @property
    def free(self) -> int:
        return self._free

    def try_take(self, tenant_id: UUID, amount: int) -> bool:
        """Take it if there is room now, past all who wait."""
        fits = amount <= self._free and self._is_within_share(tenant_id, amount)
        if fits:
            self._free -= amount
            self._held[tenant_id] = self._held.get(tenant_id, 0) + amount
        return fits

    async def take(self, tenant_id: UUID, amount: int, *, within: timedelta) -> None:
        """Take it now or when it is our turn; raises `NoRoom` if that lasts too long."""
        waiter = _Waiter(tenant_id, amount, asyncio.Future())
        self._waiting.append(waiter)
        self._serve()
        try:
            async with asyncio.timeout(within.total_seconds()):
                await waiter.granted
        except TimeoutError:
            self._leave(waiter)
            raise NoRoom from None
        except asyncio.CancelledError:
            self._leave(waiter)
            raise

    @contextmanager
    def lending(self, tenant_id: UUID, amount: int) -> Iterator[None]:
        """Give back at the end of the block what was taken before it."""
        try:
            yield
        finally:
            self.give_back(tenant_id, amount)

    def give_back(self, tenant_id: UUID, amount: int) -> None:
        self._free += amount
        left = self._held[tenant_id] - amount
        if left:
            self._held[tenant_id] = left
        else:
            del self._held[tenant_id]
        self._serve()

    def _is_within_share(self, tenant_id: UUID, amount: int) -> bool:
        return self._held.get(tenant_id, 0) + amount <= self._share

    def _serve(self) -> None:
        for waiter in list(self._waiting):
            if waiter.granted.done():
                continue  # it leaves at this moment
            if not self._is_within_share(waiter.tenant_id, waiter.amount):
                continue
            if not self.try_take(waiter.tenant_id, waiter.amount):
                return  # or large requests would wait for ever behind small ones
            self._waiting.remove(waiter)
            waiter.granted.set_result(None)

    def _leave(self, waiter: _Waiter) -> None:
        """Nobody waits any more; what was granted in the last moment goes back."""
        if waiter in self._waiting:
            self._waiting.remove(waiter)
            self._serve()
        else:
            self.give_back(waiter.tenant_id, waiter.amount)
