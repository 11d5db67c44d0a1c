"""Calls to the batch pool: an unusable answer is asked for once more, and counted.

What to do when the second one is unusable too is the job's part.
"""

from datetime import timedelta
from typing import Final

import structlog

from jobs.asking import Question, ask
from jobs.summarizing.checks import OutputUnusable
from plumbing.engine_client import Completion
from plumbing.engine_errors import EngineGarbled, EngineUnavailable
from plumbing.engine_pool import EnginePool
from plumbing.failpoints import ENGINE_ANSWERED, reach
from workers.batch import metrics

_MAX_TRIES: Final = 2

log = structlog.get_logger()


class EngineCalls:
    def __init__(self, pool: EnginePool, *, limit: timedelta) -> None:
        self._pool = pool
        self._limit = limit

    async def ask(self, question: Question, *, request_id: str) -> Completion:
        """Get a usable answer, or raise OutputUnusable, EngineError or PromptCut."""
        for _ in range(_MAX_TRIES - 1):
            try:
                return await self._ask(question, request_id)
            except (OutputUnusable, EngineGarbled) as error:
                reason = str(getattr(error, "code", "garbled"))
                metrics.ANSWERS_REFUSED.labels(reason=reason).inc()
                log.info("answer.refused", reason=reason, request=request_id)
        return await self._ask(question, request_id)

    async def _ask(self, question: Question, request_id: str) -> Completion:
        completion = await ask(
            self._pool, question, request_id=request_id, limit=self._limit, wait=None
        )
        reach(ENGINE_ANSWERED, EngineUnavailable)
        return completion
