"""Chunks of one text, as rows: cut by a count that asks nobody, checked by one that knows.

Where the engine has a tokenizer, a sample first tells how far the local estimate is
off, and each chunk is then counted exactly; one that is too long is cut again.
"""

import asyncio
from dataclasses import dataclass
from typing import Final
from uuid import UUID

from jobs.counting import TokenCounter
from jobs.store.chunk_store import ChunkRow
from jobs.summarizing.chunking import ChunkSpan, plan_chunks
from jobs.summarizing.cleaning import prepare

_SAMPLE: Final = 20_000  # code points: enough to know the language
_MARGIN: Final = 1.05
_SHORT: Final = 20_000  # below, planning is quicker than handing it to a thread


@dataclass(frozen=True, slots=True)
class _Span:
    start: int
    end: int
    tokens: int


async def plan_rows(
    job_id: UUID, text: str, *, budget: int, counter: TokenCounter
) -> list[ChunkRow]:
    """The stage-0 rows: in order, disjoint, and together the whole text."""
    if counter.verify_exact:
        spans = await _plan_exactly(text, budget=budget, counter=counter)
    else:
        spans = await _plan(text, budget=budget, counter=counter)
    return [
        ChunkRow(
            job_id=job_id,
            stage=0,
            idx=idx,
            start=span.start,
            end=span.end,
            tokens=span.tokens,
        )
        for idx, span in enumerate(spans)
    ]


async def _plan_exactly(
    text: str, *, budget: int, counter: TokenCounter
) -> list[_Span]:
    sample = prepare(text[:_SAMPLE]).text
    scale = counter.count_now(sample) / max(1, await counter.count(sample))
    loose = max(1, int(budget * scale / _MARGIN))
    checked: list[_Span] = []
    for span in await _plan(text, budget=loose, counter=counter):
        checked += await _fitted(text, span, budget=budget, counter=counter)
    return checked


async def _fitted(
    text: str, span: _Span, *, budget: int, counter: TokenCounter
) -> list[_Span]:
    """The span with its exact count, or its pieces if that is over the budget."""
    piece = text[span.start : span.end]
    tokens = await counter.count(prepare(piece).text)
    if tokens <= budget or len(piece) == 1:
        return [_Span(span.start, span.end, tokens)]
    halves = await _plan(piece, budget=max(1, span.tokens // 2), counter=counter)
    if len(halves) == 1:
        middle = len(piece) // 2
        halves = [_Span(0, middle, 0), _Span(middle, len(piece), 0)]
    fitted: list[_Span] = []
    for half in halves:
        moved = _Span(span.start + half.start, span.start + half.end, half.tokens)
        fitted += await _fitted(text, moved, budget=budget, counter=counter)
    return fitted


async def _plan(text: str, *, budget: int, counter: TokenCounter) -> list[_Span]:
    def plan() -> tuple[ChunkSpan, ...]:
        return plan_chunks(
            text,
            budget=budget,
            count=lambda piece: counter.count_now(prepare(piece).text),
        )

    spans = plan() if len(text) <= _SHORT else await asyncio.to_thread(plan)
    return [_Span(span.start, span.end, span.tokens) for span in spans]
