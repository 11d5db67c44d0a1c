"""One claimed job from the claim to its leaving: opens it, runs it, leaves it.

Errors are translated here, by class, into what `jobs.retry_policy` decides on.
"""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import timedelta

import structlog

from jobs.asking import PromptCut
from jobs.counting import TokenCounter
from jobs.errors import LeaseLost
from jobs.lifecycle import State
from jobs.operations.claim import Claim
from jobs.operations.leave import Departure, SealedResult
from jobs.retry_policy import (
    ATTEMPT_STUCK,
    ENGINE_AWAY,
    KEY_UNFIT,
    OUTPUT_UNUSABLE,
    PROMPT_CUT,
    TEXT_UNUSABLE,
    UNEXPECTED,
    Failure,
    decide,
)
from jobs.store.sealed import JobSeal
from jobs.summarizing.checks import OutputUnusable
from jobs.summarizing.merging import MergeImpossible
from jobs.summarizing.prompts import ContextTooSmall
from plumbing.database import DatabaseUnavailable
from plumbing.engine_discovery import ServedModel
from plumbing.engine_errors import EngineGarbled, EngineRefused, EngineUnavailable
from plumbing.sealing import BoxBroken, MasterKey
from workers.batch.chunk_work import ChunkWork
from workers.batch.engine_calls import EngineCalls
from workers.batch.ledger import Ledger
from workers.batch.slots import TextBudget
from workers.batch.summarizing_run import NothingToRead, SummarizingRun

log = structlog.get_logger()

_FAILURES: tuple[tuple[type[Exception], Failure], ...] = (
    (EngineUnavailable, ENGINE_AWAY),
    (BoxBroken, KEY_UNFIT),
    (OutputUnusable, OUTPUT_UNUSABLE),
    (EngineGarbled, OUTPUT_UNUSABLE),
    (PromptCut, PROMPT_CUT),
    (EngineRefused, TEXT_UNUSABLE),
    (ContextTooSmall, TEXT_UNUSABLE),
    (NothingToRead, TEXT_UNUSABLE),
    (MergeImpossible, OUTPUT_UNUSABLE),
    (TimeoutError, ATTEMPT_STUCK),
)
# Wrong key, wrong path, wrong model name: no text is to blame.
_OUR_SETTINGS = frozenset({401, 403, 404})


@dataclass(frozen=True, slots=True, kw_only=True)
class Tools:
    """What every attempt of this process works with."""

    ledger: Ledger
    calls: EngineCalls
    served: ServedModel
    counter: TokenCounter
    master_key: MasterKey
    texts: TextBudget
    lease: timedelta
    soft_limit: timedelta


class Attempt:
    def __init__(self, held: Claim, tools: Tools, *, task_id: str) -> None:
        self.held = held
        self._tools = tools
        self._task_id = task_id
        self._work: ChunkWork | None = None

    async def run(
        self, *, on_progress: Callable[[], Awaitable[None]] | None = None
    ) -> State:
        """Summarize and leave; gives the state that the job took.

        `on_progress` is called each time that something new is stored.
        An attempt over its soft limit is left like a failed one; with new chunks
        stored that costs nothing. Raises LeaseLost where the job is not ours any
        more. Cancelling the task aborts the calls to the engine; the job is then
        handed back by the caller.
        """
        limit = self._tools.soft_limit.total_seconds()
        try:
            # Counted only from the moment that there is room for the text.
            async with (
                self._tools.texts.hold(self.held.characters),
                asyncio.timeout(limit),
            ):
                result = await self._summarize(on_progress)
            return await self._leave_succeeded(result)
        except Exception as error:
            first = _first_of(error)
            if isinstance(first, DatabaseUnavailable | LeaseLost):
                raise first from error
            return await self._leave_failed(first)

    async def hand_back(self, *, after: timedelta = timedelta(0)) -> State:
        """Give the job to another worker; what is stored stays stored."""
        return await self._tools.ledger.leave(
            Departure(
                id=self.held.id,
                fence=self.held.fence,
                wish=State.RETRY_WAIT if after else State.QUEUED,
                counts=False,
                retry_after=after,
            ),
            is_farewell=True,
        )

    async def _summarize(
        self, on_progress: Callable[[], Awaitable[None]] | None
    ) -> SealedResult:
        held, tools = self.held, self._tools
        seal = JobSeal.unwrap(held.id, held.wrapped_key, tools.master_key)
        self._work = ChunkWork(
            held,
            seal,
            ledger=tools.ledger,
            calls=tools.calls,
            on_progress=on_progress,
        )
        sealed = held.sealed_text
        if sealed is None:
            sealed = await tools.ledger.get_sealed_text(held)
        run = SummarizingRun(
            held,
            seal,
            seal.open_text(sealed),
            work=self._work,
            ledger=tools.ledger,
            served=tools.served,
            counter=tools.counter,
        )
        return await run.run(task_id=self._task_id)

    async def _leave_succeeded(self, result: SealedResult) -> State:
        """Finish; the table refuses a success that does not cover the text."""
        return await self._tools.ledger.leave(
            Departure(
                id=self.held.id,
                fence=self.held.fence,
                wish=State.SUCCEEDED,
                result=result,
            )
        )

    async def _leave_failed(self, error: Exception) -> State:
        failure = _failure_of(error)
        verdict = decide(
            failure,
            attempt=self.held.attempt,
            stored_chunks=self._work is not None and self._work.stored > 0,
            lease=self._tools.lease,
        )
        log.info(
            "job.attempt_failed",
            reason=failure.code,
            attempt=self.held.attempt,
            next=verdict.state.value,
        )
        return await self._tools.ledger.leave(
            Departure(
                id=self.held.id,
                fence=self.held.fence,
                wish=verdict.state,
                counts=verdict.counts,
                retry_after=verdict.retry_after,
                error_code=verdict.error_code,
            )
        )


def _failure_of(error: Exception) -> Failure:
    if isinstance(error, EngineRefused) and error.status in _OUR_SETTINGS:
        return ENGINE_AWAY
    failure = next((f for kind, f in _FAILURES if isinstance(error, kind)), None)
    if failure is None:
        log.error("job.attempt_broke", exc_info=error)
        return UNEXPECTED
    return failure


def _first_of(error: Exception) -> Exception:
    """The error behind a group of parallel calls: the first says what went wrong."""
    while isinstance(error, ExceptionGroup):
        error = error.exceptions[0]
    return error
