"""Which engine takes the next call, and who waits while all of them are full.

Healthy engines first, the least busy among them; a first-come queue for the rest. It
counts calls and reads breakers and never speaks to an engine: the pool does that.
"""

import asyncio
import random
from collections import deque
from collections.abc import Sequence
from datetime import timedelta
from typing import Final

import structlog

from plumbing.breaker import Breaker
from plumbing.engine_client import EngineClient
from plumbing.engine_errors import PoolDown, PoolSaturated

log = structlog.get_logger()

# Which of two equally idle engines is asked guards nothing.
_random: Final = random.Random()  # noqa: S311


class Engine:
    """One engine as its pool sees it."""

    def __init__(self, client: EngineClient, breaker: Breaker) -> None:
        self.client = client
        self.breaker = breaker
        self.in_flight = 0
        self.missed_probes = 0
        self.has_answered = False
        """Since the last round of probes, which spares it one."""

    @property
    def is_healthy(self) -> bool:
        return self.breaker.state == "closed"

    def record(self, *, ok: bool) -> None:
        was_healthy = self.is_healthy
        self.breaker.record(ok=ok)
        self._tell_change(was_healthy=was_healthy)

    def trip(self) -> None:
        was_healthy = self.is_healthy
        self.breaker.trip()
        self._tell_change(was_healthy=was_healthy)

    def _tell_change(self, *, was_healthy: bool) -> None:
        if was_healthy and not self.is_healthy:
            log.warning("engine.lost", engine=self.client.name)
        elif self.is_healthy and not was_healthy:
            log.info("engine.back", engine=self.client.name)


class Seats:
    """So many calls in flight at each engine; more wait in the order they came."""

    def __init__(self, engines: Sequence[Engine], *, each: int) -> None:
        self._engines = engines
        self._each = each
        self._waiting: deque[asyncio.Future[Engine]] = deque()

    async def take(self, *, wait: timedelta | None) -> Engine:
        """Take a seat, waiting for one at most `wait` (None: without an end).

        Every engine that this returns must be given back.
        """
        if not self._waiting and (engine := self._pick()) is not None:
            return engine
        if wait is not None and wait <= timedelta(0):
            raise PoolSaturated
        return await self._queue(wait)

    def take_other(self, than: Engine) -> Engine | None:
        """Take a seat that is free at another healthy engine right now."""
        return self._seat([each for each in self._engines if each is not than])

    def give_back(self, engine: Engine) -> None:
        engine.in_flight -= 1
        self.serve_waiting()

    def serve_waiting(self) -> None:
        """Hand out what has become free; when no engine is left, send all away."""
        while self._waiting:
            try:
                engine = self._pick()
            except PoolDown:
                self._send_all_away()
                return
            if engine is None:
                return
            self._hand_over(engine)

    async def _queue(self, wait: timedelta | None) -> Engine:
        turn: asyncio.Future[Engine] = asyncio.get_running_loop().create_future()
        self._waiting.append(turn)
        try:
            async with asyncio.timeout(None if wait is None else wait.total_seconds()):
                return await turn
        except BaseException as error:
            self._leave_queue(turn)
            if isinstance(error, TimeoutError):
                raise PoolSaturated from None
            raise

    def _leave_queue(self, turn: "asyncio.Future[Engine]") -> None:
        if turn in self._waiting:
            self._waiting.remove(turn)
        elif not turn.cancelled() and turn.exception() is None:
            # The seat came in the same moment as the caller's end.
            self.give_back(turn.result())

    def _pick(self) -> Engine | None:
        """Take the least busy seat; None when all are taken."""
        engine = self._seat(self._engines)
        if engine is None and not any(each.is_healthy for each in self._engines):
            engine = self._seat_on_trial()
        return engine

    def _seat(self, engines: Sequence[Engine]) -> Engine | None:
        free = [
            each for each in engines if each.is_healthy and each.in_flight < self._each
        ]
        if not free:
            return None
        least = min(free, key=lambda each: (each.in_flight, _random.random()))
        least.in_flight += 1
        return least

    def _seat_on_trial(self) -> Engine:
        for engine in self._engines:
            if engine.breaker.allow():
                engine.in_flight += 1
                return engine
        raise PoolDown

    def _hand_over(self, engine: Engine) -> None:
        turn = self._waiting.popleft()
        if turn.done():  # cancelled, and not yet out of the queue
            engine.in_flight -= 1
        else:
            turn.set_result(engine)

    def _send_all_away(self) -> None:
        while self._waiting:
            turn = self._waiting.popleft()
            if not turn.done():
                turn.set_exception(PoolDown())
