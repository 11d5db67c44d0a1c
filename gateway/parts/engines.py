"""The gateway's view of the realtime pool: there, or not yet there.

The gateway starts without an engine: long texts are accepted all the same, short
ones go to batch, and the search goes on in the background. Engines that disagree
about their model stop the start instead: somebody has to decide.
"""

import asyncio
from datetime import timedelta
from typing import Final

import structlog

from gateway.settings import GatewaySettings
from jobs.counting import TokenCounter
from jobs.summarizing.lengths import Length, plan_lengths
from jobs.summarizing.prompts import prompt_overhead
from jobs.summarizing.tokens import estimate_tokens
from plumbing.engine_client import EngineClient
from plumbing.engine_discovery import discover
from plumbing.engine_errors import EngineError, EngineUnavailable
from plumbing.engine_pool import EnginePool

_PAUSE_SECONDS: Final = 2.0
# Every request is counted, also one for batch: an engine that hangs must not hold it.
_LONGEST_COUNT: Final = timedelta(seconds=1)

log = structlog.get_logger()


class RealtimeEngines:
    """Finds the engines, keeps the pool, counts tokens as its model does."""

    def __init__(self, settings: GatewaySettings) -> None:
        self._settings = settings
        api_key = settings.engine_api_key
        self._clients = [
            EngineClient(url, api_key=api_key.get_secret_value() if api_key else None)
            for url in settings.realtime_engine_urls
        ]
        self._counter: TokenCounter | None = None
        self._search: asyncio.Task[None] | None = None
        self._overhead = 0
        self.pool: EnginePool | None = None
        """None while no engine has been found."""

    async def start(self) -> None:
        """Look once; when nobody answers, go on looking in the background."""
        if not self._clients:
            return
        try:
            await self._find()
        except EngineUnavailable:
            log.warning("engines.absent", tier="realtime")
            self._search = asyncio.create_task(self._find_later())

    async def stop(self) -> None:
        if self._search is not None:
            # A look at an engine that hangs takes ten seconds.
            self._search.cancel()
            await asyncio.wait([self._search])
        if self.pool is not None:
            await self.pool.stop()
        else:
            for client in self._clients:
                await client.close()

    async def count(self, text: str) -> int:
        """Tokens of the text; an estimate where no engine can tell or tells it soon."""
        if self._counter is None:
            return estimate_tokens(text)
        asks = self._counter.verify_exact
        if not asks or self.pool is None or self.pool.state.is_down:
            return self._counter.count_now(text)
        try:
            async with asyncio.timeout(_LONGEST_COUNT.total_seconds()):
                return await self._counter.count(text)
        except TimeoutError:
            return self._counter.count_now(text)

    def threshold(self, length: Length) -> int:
        """The longest text in tokens that realtime takes: by setting and context."""
        at_most = self._settings.realtime_max_tokens
        if self.pool is None:
            return at_most
        plan = plan_lengths(length, context=self.pool.context, chunk_count=1)
        room = self.pool.context - plan.max_tokens - self._overhead
        return max(0, min(at_most, room))

    async def _find(self) -> None:
        served = await discover(
            self._clients,
            model=self._settings.engine_model,
            context=self._settings.engine_context,
        )
        pool = EnginePool(
            "realtime",
            self._clients,
            model=served,
            max_in_flight_each=self._settings.realtime_max_in_flight,
        )
        await pool.start()
        self._counter = TokenCounter(served, self._clients)
        self._overhead = prompt_overhead(self._counter.count_now)
        self.pool = pool
        log.info("engines.found", tier="realtime", model=served.name)

    async def _find_later(self) -> None:
        while self.pool is None:
            await asyncio.sleep(_PAUSE_SECONDS)
            try:
                await self._find()
            except EngineUnavailable:
                continue
            except EngineError as error:
                # Not at the start, so nobody watches a refused start: say it again.
                log.warning("engines.unclear", tier="realtime", reason=str(error))
