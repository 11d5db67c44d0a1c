"""The engines of one tier: who is asked, and who is well.

A call goes to the least busy healthy engine and is repeated only where no connection
was made, on another one: anything later may have cost the engine work, and retrying
is decided once, by the callers. Health comes from the calls themselves and, where
there are none, from generation probes. What a summary is, is not known here.
"""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Final

from plumbing.backoff import around
from plumbing.breaker import Breaker
from plumbing.engine_client import Completion, EngineClient, EngineRequest
from plumbing.engine_discovery import ServedModel
from plumbing.engine_errors import EngineError, EngineRefused, EngineUnavailable
from plumbing.engine_seats import Engine, Seats
from plumbing.pool_state import PoolState
from plumbing.process import sleep_or_stop

_CALM_PROBES: Final = timedelta(seconds=15)
_ANXIOUS_PROBES: Final = timedelta(seconds=5)
_MAX_MISSED_PROBES: Final = 3


@dataclass(frozen=True, slots=True)
class Answer:
    completion: Completion
    engine: str


class EnginePool:
    """Balances calls over engines that serve the same model."""

    def __init__(
        self,
        name: str,
        clients: Sequence[EngineClient],
        *,
        model: ServedModel,
        max_in_flight_each: int,
        failures: int = 5,
        window: timedelta = timedelta(seconds=10),
        cooldown: timedelta = timedelta(seconds=5),
    ) -> None:
        self.name = name
        self.served = model
        self._engines = [
            Engine(client, Breaker(failures=failures, window=window, cooldown=cooldown))
            for client in clients
        ]
        self._max_in_flight_each = max_in_flight_each
        self._seats = Seats(self._engines, each=max_in_flight_each)
        self._stop = asyncio.Event()
        self._probing: asyncio.Task[None] | None = None

    @property
    def model(self) -> str:
        return self.served.name

    @property
    def context(self) -> int:
        return self.served.context

    @property
    def state(self) -> PoolState:
        healthy = [engine for engine in self._engines if engine.is_healthy]
        return PoolState(
            healthy=len(healthy),
            engines=len(self._engines),
            in_flight=sum(engine.in_flight for engine in healthy),
            capacity=len(healthy) * self._max_in_flight_each,
        )

    async def start(self) -> None:
        self._stop.clear()
        self._probing = asyncio.create_task(self._probe_until_stopped())

    async def stop(self) -> None:
        """End the probes and close the connections; calls in flight are lost."""
        self._stop.set()
        if self._probing is not None:
            self._probing.cancel()
            await asyncio.wait([self._probing])
            self._probing = None
        for engine in self._engines:
            await engine.client.close()

    async def complete(
        self,
        request: EngineRequest,
        *,
        timeout: timedelta,  # noqa: ASYNC109  the client gives it to asyncio.timeout
        wait: timedelta | None,
    ) -> Answer:
        """Ask one engine; `wait` bounds the wait for its turn, `timeout` the call.

        Raises PoolSaturated when no turn came, PoolDown when no engine may be asked.
        """
        engine = await self._seats.take(wait=wait)
        try:
            return await self._ask(engine, request, limit=timeout)
        except EngineUnavailable as error:
            if error.was_reached:
                raise
            other = self._seats.take_other(engine)
            if other is None:
                raise
        return await self._ask(other, request, limit=timeout)

    async def probe_once(self) -> None:
        """Probe each engine that gave no sign of life since the last round."""
        await asyncio.gather(*(self._probe(engine) for engine in self._engines))

    async def _ask(
        self, engine: Engine, request: EngineRequest, *, limit: timedelta
    ) -> Answer:
        try:
            completion = await engine.client.complete(request, timeout=limit)
            engine.has_answered = True
            engine.record(ok=True)
        except EngineError as error:
            # A refusal blames the request; the engine is alive.
            engine.record(ok=isinstance(error, EngineRefused))
            raise
        finally:
            self._seats.give_back(engine)
        return Answer(completion, engine.client.name)

    async def _probe_until_stopped(self) -> None:
        pause = timedelta(0)
        while not await sleep_or_stop(self._stop, pause):
            await self.probe_once()
            pause = around(self._pause(), spread=0.1)

    def _pause(self) -> timedelta:
        is_calm = all(
            engine.is_healthy and engine.missed_probes == 0 for engine in self._engines
        )
        return _CALM_PROBES if is_calm else _ANXIOUS_PROBES

    async def _probe(self, engine: Engine) -> None:
        if engine.is_healthy and engine.has_answered:
            engine.has_answered = False
            engine.missed_probes = 0
            return
        if not engine.breaker.allow():
            return
        try:
            await engine.client.probe(self.model)
        except EngineError:
            self._miss(engine)
        else:
            engine.missed_probes = 0
            engine.record(ok=True)
            self._seats.serve_waiting()

    def _miss(self, engine: Engine) -> None:
        """Count a missed probe; probes come too seldom for the breaker's own count."""
        engine.missed_probes += 1
        if not engine.is_healthy or engine.missed_probes >= _MAX_MISSED_PROBES:
            engine.trip()
            self._seats.serve_waiting()
