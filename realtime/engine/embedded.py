"""The embedded engine: what vLLM's scheduler and model are to its HTTP server.

It checks a request against the model, lets it wait for a slot, has the text
summarized there and tells what was used. It knows nothing of HTTP.
"""

import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from jobs.summarizing.tokens import count_tokens
from realtime.engine.briefs import count_prompt_tokens, read_brief
from realtime.engine.extractive.ranking import Checkpoint
from realtime.engine.extractive.selection import Budget
from realtime.engine.extractive.summary import Extract
from realtime.engine.faults import ModelUnknown, PromptTooLong
from realtime.engine.metrics import EngineMetrics
from realtime.engine.requests import ChatMessage, ChatRequest
from realtime.engine.settings import EmbeddedEngineSettings
from realtime.engine.slots import Slots

_MAX_CHARACTERS_PER_TOKEN = 4  # by `count_tokens`: a longer text need not be counted


class Summarize(Protocol):
    """How a text becomes a summary: `extractive.summary.summarize`."""

    def __call__(self, text: str, *, budget: Budget, check: Checkpoint) -> Extract: ...


@dataclass(frozen=True, slots=True)
class Answer:
    text: str
    finish_reason: str
    """`stop`, or `length` where max_tokens cut it."""
    prompt_tokens: int
    tokens: int


class EmbeddedEngine:
    def __init__(
        self, settings: EmbeddedEngineSettings, *, summarize: Summarize
    ) -> None:
        self.model = settings.engine_model_name
        self.context = settings.engine_max_model_len
        self.slots = Slots(
            settings.engine_max_num_seqs, max_queued=settings.engine_max_queued
        )
        self.metrics = EngineMetrics(
            self.model,
            running=lambda: self.slots.running_count,
            waiting=lambda: self.slots.waiting_count,
        )
        self._summarize = summarize

    async def complete(self, request: ChatRequest) -> Answer:
        """Answer, or raise an `EngineFault`; cancelling abandons the work."""
        started_at = time.monotonic()
        self.check_model(request.model)
        prompt_tokens = self._count_prompt(request.messages, request.token_limit)
        brief = read_brief(
            request.messages,
            max_tokens=request.token_limit,
            room=self.context - prompt_tokens,
        )
        extract = await self.slots.run(
            lambda check: self._summarize(brief.text, budget=brief.budget, check=check)
        )
        answer = _answer(extract, prompt_tokens)
        self._count(answer, seconds=time.monotonic() - started_at)
        return answer

    def check_model(self, model: str | None) -> None:
        """Take the model that is served, or none named; vLLM does the same."""
        if model not in {None, self.model}:
            raise ModelUnknown(str(model))

    def _count_prompt(self, messages: Sequence[ChatMessage], limit: int | None) -> int:
        at_least = limit or 1
        length = sum(len(message.text) for message in messages)
        if length > _MAX_CHARACTERS_PER_TOKEN * self.context:
            raise PromptTooLong(
                f"{length} input characters", max_tokens=at_least, context=self.context
            )
        tokens = count_prompt_tokens(messages)
        if tokens + at_least > self.context:
            raise PromptTooLong(
                f"{tokens} input tokens", max_tokens=at_least, context=self.context
            )
        return tokens

    def _count(self, answer: Answer, *, seconds: float) -> None:
        self.metrics.count_answer(
            prompt_tokens=answer.prompt_tokens,
            tokens=answer.tokens,
            finish_reason=answer.finish_reason,
            seconds=seconds,
        )


def _answer(extract: Extract, prompt_tokens: int) -> Answer:
    return Answer(
        text=extract.text,
        finish_reason="length" if extract.is_cut else "stop",
        prompt_tokens=prompt_tokens,
        tokens=count_tokens(extract.text),
    )
