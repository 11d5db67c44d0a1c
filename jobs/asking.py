"""One checked call to an engine: a prompt goes out, a usable answer comes back.

Both tiers ask alike. The answer is judged before it counts: the engine must have read
the whole prompt, and what it wrote must be a summary. How long a call may take, how
often it is repeated and what its failure means are left to the callers.
"""

from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from jobs.counting import prompt_was_cut
from jobs.summarizing.checks import check_output
from jobs.summarizing.prompts import PROMPT_VERSION, Prompt
from plumbing.engine_client import Completion, EngineRequest, Message
from plumbing.engine_discovery import ServedModel
from plumbing.engine_pool import EnginePool


class PromptCut(Exception):
    """The engine read fewer tokens than it was sent: part of the text was lost."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Question:
    """What is asked; the answer must be a summary of `source`."""

    prompt: Prompt
    source: str
    words: int
    max_tokens: int


async def ask(
    pool: EnginePool,
    question: Question,
    *,
    request_id: str,
    limit: timedelta,
    wait: timedelta | None,
) -> Completion:
    """Ask once. Raises EngineError, OutputUnusable or PromptCut.

    `wait` bounds the wait for a free engine (None: without an end), `limit` the call.
    """
    prompt = question.prompt
    request = EngineRequest(
        model=pool.model,
        messages=(Message("system", prompt.system), Message("user", prompt.user)),
        max_tokens=question.max_tokens,
        request_id=request_id,
    )
    completion = (await pool.complete(request, timeout=limit, wait=wait)).completion
    if prompt_was_cut(prompt.user, completion.prompt_tokens, served=pool.served):
        raise PromptCut
    check_output(
        completion.text,
        source=question.source,
        finish_reason=completion.finish_reason,
        max_tokens=question.max_tokens,
        words=question.words,
    )
    return completion


def provenance(served: ServedModel, *, task_id: str | None = None) -> dict[str, Any]:
    """Which model wrote a summary, and in which Celery task if in one.

    An engine's address is nobody's business.
    """
    return {
        "model": served.name,
        "revision": None,
        "engine": served.owned_by or None,
        "dtype": None,
        "gpu_class": None,
        "prompt_version": PROMPT_VERSION,
        "task_id": task_id,
    }
