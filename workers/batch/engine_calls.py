"""One checked call to the batch pool: prompt in, usable text out.

The answer is judged before it counts: not cut, not empty, not an echo, and the
engine must have read the whole prompt. An unusable answer is asked for once more;
what to do after that is the job's part.
"""

from dataclasses import dataclass
from datetime import timedelta
from typing import Final

import structlog

from jobs.summarizing.checks import OutputUnusable, check_output
from jobs.summarizing.prompts import Prompt
from jobs.summarizing.tokens import least_tokens
from plumbing.engine_client import Completion, EngineRequest, Message
from plumbing.engine_errors import EngineGarbled
from plumbing.engine_pool import EnginePool
from workers.batch import metrics

_TRIES: Final = 2

log = structlog.get_logger()


class PromptCut(Exception):
    """The engine read fewer tokens than it was sent: part of the text was lost."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """What one call is about; `source` is what the answer must be a summary of."""

    prompt: Prompt
    source: str
    words: int
    max_tokens: int
    request_id: str


class EngineCalls:
    def __init__(self, pool: EnginePool, *, limit: timedelta) -> None:
        self._pool = pool
        self._limit = limit

    async def ask(self, asked: Asked) -> Completion:
        """Get a usable answer, or raise OutputUnusable, EngineError or PromptCut."""
        for tries_left in reversed(range(_TRIES)):
            try:
                return await self._ask_once(asked)
            except (OutputUnusable, EngineGarbled) as error:
                reason = str(getattr(error, "code", "garbled"))
                metrics.ANSWERS_REFUSED.labels(reason=reason).inc()
                log.info("answer.refused", reason=reason, request=asked.request_id)
                if not tries_left:
                    raise
        raise AssertionError("unreachable")

    async def _ask_once(self, asked: Asked) -> Completion:
        prompt = asked.prompt
        request = EngineRequest(
            model=self._pool.model,
            messages=(Message("system", prompt.system), Message("user", prompt.user)),
            max_tokens=asked.max_tokens,
            request_id=asked.request_id,
        )
        answer = await self._pool.complete(request, timeout=self._limit, wait=None)
        self._refuse_cut_prompt(prompt, answer.completion)
        check_output(
            answer.completion.text,
            source=asked.source,
            finish_reason=answer.completion.finish_reason,
            max_tokens=asked.max_tokens,
            words=asked.words,
        )
        return answer.completion

    def _refuse_cut_prompt(self, prompt: Prompt, completion: Completion) -> None:
        if completion.prompt_tokens is None:
            return
        least = least_tokens(prompt.system) + least_tokens(prompt.user)
        if completion.prompt_tokens < least:
            raise PromptCut
