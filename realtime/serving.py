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

from jobs.counting import prompt_was_cut
from jobs.summarizing.checks import OutputUnusable, check_output
from jobs.summarizing.citations import cite
from jobs.summarizing.cleaning import prepare
from jobs.summarizing.lengths import Length, LengthPlan, plan_lengths
from jobs.summarizing.prompts import PROMPT_VERSION, Prompt, summary_prompt
from plumbing.engine_client import Completion, EngineRequest, Message
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


class _PromptCut(Exception):
    """The engine read less than it was sent."""


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
    call = _Call(pool, text, length=length, request_id=request_id, limit=limit)
    try:
        completion = await call.usable_completion()
    except (EngineError, OutputUnusable, _PromptCut) as error:
        reason = _reason(error)
        log.info("realtime.handed_over", reason=reason, request_id=request_id)
        return HandOver(reason)
    summary = completion.text.strip()
    return Served(
        summary=summary,
        citations=_cite(summary, text) if with_citations else None,
        prompt_tokens=completion.prompt_tokens,
        completion_tokens=completion.completion_tokens,
        provenance=_provenance(pool),
        warnings=call.warnings,
    )


class _Call:
    """The tries for one text under one clock."""

    def __init__(
        self,
        pool: EnginePool,
        text: str,
        *,
        length: Length,
        request_id: str,
        limit: timedelta,
    ) -> None:
        self._ends = time.monotonic() + limit.total_seconds()
        self._pool = pool
        self._text = text
        self._plan = plan_lengths(length, context=pool.context, chunk_count=1)
        self._prompt = summary_prompt(text, self._plan.words)
        self._request = _request(self._prompt, self._plan, pool.model, request_id)
        self.warnings = tuple(sorted(note.value for note in prepare(text).notes))

    @property
    def time_left(self) -> timedelta:
        return timedelta(seconds=self._ends - time.monotonic())

    async def usable_completion(self) -> Completion:
        for _ in range(_MAX_TRIES - 1):
            try:
                return await self._ask()
            except (EngineGarbled, OutputUnusable):
                # Another engine, or the same one with another batch, may do better.
                continue
        return await self._ask()

    async def _ask(self) -> Completion:
        left = max(self.time_left, timedelta(milliseconds=1))
        wait = min(left, _LONGEST_QUEUE)
        answer = await self._pool.complete(self._request, timeout=left, wait=wait)
        completion = answer.completion
        if prompt_was_cut(
            self._prompt.user, completion.prompt_tokens, served=self._pool.served
        ):
            raise _PromptCut
        check_output(
            completion.text,
            source=self._text,
            finish_reason=completion.finish_reason,
            max_tokens=self._plan.max_tokens,
            words=self._plan.words,
        )
        return completion


def _request(
    prompt: Prompt, plan: LengthPlan, model: str, request_id: str
) -> EngineRequest:
    return EngineRequest(
        model=model,
        messages=(Message("system", prompt.system), Message("user", prompt.user)),
        max_tokens=plan.max_tokens,
        request_id=request_id,
    )


def _reason(error: Exception) -> str:
    if isinstance(error, PoolSaturated):
        return "pool_saturated"
    if isinstance(error, PoolDown):
        return "pool_down"
    if isinstance(error, OutputUnusable | EngineGarbled):
        return "output_unusable"
    if isinstance(error, _PromptCut):
        return "prompt_cut"
    if isinstance(error, EngineRefused):
        return "engine_refused"
    is_late = isinstance(error.__cause__, TimeoutError)
    return "too_slow" if is_late else "engine_unavailable"


def _cite(summary: str, text: str) -> list[dict[str, Any]]:
    return [asdict(citation) for citation in cite(summary, text)]


def _provenance(pool: EnginePool) -> dict[str, Any]:
    """What is known of the engine; its address is nobody's business."""
    return {
        "model": pool.model,
        "revision": None,
        "engine": pool.served.owned_by or None,
        "dtype": None,
        "gpu_class": None,
        "prompt_version": PROMPT_VERSION,
    }
