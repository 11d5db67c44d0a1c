"""One short text, served by one engine inside a time limit, or handed over to batch.

The engine's answer is checked before it counts; an unusable one is asked for once
more. Nothing is stored here and no tier is chosen: the gateway does both. A caller
who leaves cancels `serve`, and with it the engine's work.
"""

import time
from dataclasses import asdict, dataclass
from datetime import timedelta
from typing import Any, Final

import structlog

from jobs.asking import PromptCut, Question, ask, provenance
from jobs.summarizing.checks import OutputUnusable
from jobs.summarizing.citations import cite
from jobs.summarizing.cleaning import prepare
from jobs.summarizing.lengths import Length, LengthPlan, plan_lengths
from jobs.summarizing.prompts import summary_prompt
from plumbing.engine_client import Completion
from plumbing.engine_errors import (
    EngineError,
    EngineGarbled,
    EngineRefused,
    PoolDown,
    PoolSaturated,
)
from plumbing.engine_pool import EnginePool

_MAX_TRIES: Final = 2
# A refusal must be out within 250 ms, so a full pool is not waited for any longer.
_LONGEST_QUEUE: Final = timedelta(milliseconds=150)

log = structlog.get_logger()


@dataclass(frozen=True, slots=True, kw_only=True)
class Served:
    summary: str
    citations: list[dict[str, Any]] | None
    prompt_tokens: int | None
    completion_tokens: int | None
    provenance: dict[str, Any]
    warnings: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class HandOver:
    """Why batch has to go on; the words are routing reasons."""

    reason: str


async def serve(
    text: str,
    *,
    length: Length,
    with_citations: bool,
    pool: EnginePool,
    limit: timedelta,
    request_id: str,
) -> Served | HandOver:
    """Summarize the text within `limit`; trouble of any kind is a `HandOver`."""
    plan = plan_lengths(length, context=pool.context, chunk_count=1)
    call = _Call(pool, text, plan, limit=limit)
    try:
        completion = await call.usable_completion(request_id)
    except (EngineError, OutputUnusable, PromptCut) as error:
        reason = _reason(error)
        log.info("realtime.handed_over", reason=reason, request_id=request_id)
        return HandOver(reason)
    summary = completion.text.strip()
    return Served(
        summary=summary,
        citations=_cite(summary, text) if with_citations else None,
        prompt_tokens=completion.prompt_tokens,
        completion_tokens=completion.completion_tokens,
        provenance=provenance(pool.served),
        warnings=tuple(sorted(note.value for note in prepare(text).notes)),
    )


class _Call:
    """The tries for one text under one clock."""

    def __init__(
        self, pool: EnginePool, text: str, plan: LengthPlan, *, limit: timedelta
    ) -> None:
        self._ends = time.monotonic() + limit.total_seconds()
        self._pool = pool
        self._question = Question(
            prompt=summary_prompt(text, plan.words),
            source=text,
            words=plan.words,
            max_tokens=plan.max_tokens,
        )

    async def usable_completion(self, request_id: str) -> Completion:
        for _ in range(_MAX_TRIES - 1):
            try:
                return await self._ask(request_id)
            except (EngineGarbled, OutputUnusable):
                # Another engine, or the same one with another batch, may do better.
                continue
        return await self._ask(request_id)

    async def _ask(self, request_id: str) -> Completion:
        left = timedelta(seconds=max(self._ends - time.monotonic(), 0.001))
        return await ask(
            self._pool,
            self._question,
            request_id=request_id,
            limit=left,
            wait=min(left, _LONGEST_QUEUE),
        )


def _reason(error: Exception) -> str:
    if isinstance(error, PoolSaturated):
        return "pool_saturated"
    if isinstance(error, PoolDown):
        return "pool_down"
    if isinstance(error, OutputUnusable | EngineGarbled):
        return "output_unusable"
    if isinstance(error, PromptCut):
        return "prompt_cut"
    if isinstance(error, EngineRefused):
        return "engine_refused"
    is_late = isinstance(error.__cause__, TimeoutError)
    return "too_slow" if is_late else "engine_unavailable"


def _cite(summary: str, text: str) -> list[dict[str, Any]]:
    return [asdict(citation) for citation in cite(summary, text)]
