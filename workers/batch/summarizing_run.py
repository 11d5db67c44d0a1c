"""One attempt at one job: plan, map, reduce, and what is to be stored at the end.

Chunk rows in Postgres are the barrier and the memory: what an earlier attempt has
finished is read, not repeated. Leaving the job is the caller's part.
"""

import asyncio
from collections.abc import Sequence
from dataclasses import asdict
from functools import lru_cache
from typing import Final

from jobs.asking import Question, provenance
from jobs.counting import TokenCounter
from jobs.operations.claim import Claim
from jobs.operations.leave import OnlyChunk, SealedResult
from jobs.store.chunk_store import ChunkRow
from jobs.store.sealed import JobSeal
from jobs.summarizing.citations import cite
from jobs.summarizing.cleaning import prepare
from jobs.summarizing.lengths import LengthPlan, plan_lengths
from jobs.summarizing.merging import plan_merge
from jobs.summarizing.prompts import (
    chunk_budget,
    merge_prompt,
    prompt_budget,
    summary_prompt,
)
from plumbing.engine_discovery import ServedModel
from workers.batch.chunk_work import ChunkWork, Done
from workers.batch.ledger import Ledger
from workers.batch.planning import plan_rows


class NothingToRead(Exception):
    """Of the text nothing is left to show to a model: escapes, hidden characters."""


# The fixed words of a prompt count the same for every job of one length.
_chunk_budget: Final = lru_cache(maxsize=256)(chunk_budget)


class SummarizingRun:
    def __init__(
        self,
        held: Claim,
        seal: JobSeal,
        text: str,
        *,
        work: ChunkWork,
        ledger: Ledger,
        served: ServedModel,
        counter: TokenCounter,
    ) -> None:
        self._held = held
        self._seal = seal
        self._text = text
        self._work = work
        self._ledger = ledger
        self._served = served
        self._counter = counter
        self._stored_rows: list[ChunkRow] = []

    async def run(self, *, task_id: str) -> SealedResult:
        """Do what is not done yet; gives the sealed result of the whole."""
        rows = await self._plan()
        lengths = self._lengths(len(rows))
        is_short = len(rows) == 1 and not self._stored_rows
        if is_short:
            level = [await self._work.do_only(rows[0], self._ask(rows[0], 1, lengths))]
        else:
            level = await self._map(rows, lengths)
        spent, stage = list(level), 0
        while len(level) > 1:
            stage += 1
            level = await self._merge(level, stage, lengths)
            spent += level
        summary = level[0].text
        if not summary:
            raise NothingToRead
        return SealedResult(
            summary=self._seal.seal_summary(summary),
            citations=await self._cite(summary),
            prompt_tokens=sum(each.prompt_tokens for each in spent),
            completion_tokens=sum(each.completion_tokens for each in spent),
            provenance=provenance(self._served, task_id=task_id),
            warnings=tuple(sorted(prepare(self._text).notes)),
            only_chunk=self._seal_only(level[0]) if is_short else None,
        )

    async def _plan(self) -> list[ChunkRow]:
        if self._held.fence > 1:  # at the first claim nobody can have planned
            self._stored_rows = await self._ledger.list_chunks(self._held.id)
        planned = [row for row in self._stored_rows if row.stage == 0]
        if planned:
            return planned
        budget = _chunk_budget(
            self._served.context, self._longest_answer(), self._counter.count_now
        )
        rows = await plan_rows(
            self._held.id, self._text, budget=budget, counter=self._counter
        )
        if len(rows) > 1:
            # A text of one chunk is planned, stored and ended in one statement.
            await self._ledger.plan(self._held, rows)
        return rows

    async def _map(self, rows: Sequence[ChunkRow], lengths: LengthPlan) -> list[Done]:
        return await self._work.do_all(
            rows, lambda row: self._ask(row, len(rows), lengths)
        )

    def _ask(self, row: ChunkRow, of: int, lengths: LengthPlan) -> Question | str:
        """What to ask about a chunk; the empty text where there is nothing to read."""
        is_whole = of == 1
        source = self._text[row.start : row.end]
        words = lengths.words if is_whole else lengths.section_words
        if not prepare(source).text.strip():
            return ""
        return Question(
            prompt=summary_prompt(
                source, words, part=None if is_whole else f"{row.idx + 1} of {of}"
            ),
            source=source,
            words=words,
            max_tokens=lengths.max_tokens if is_whole else lengths.section_max_tokens,
        )

    def _seal_only(self, done: Done) -> OnlyChunk:
        row = done.row
        return OnlyChunk(
            start=row.start,
            end=row.end,
            tokens=row.tokens,
            sealed=self._seal.seal_chunk(done.text, stage=row.stage, idx=row.idx),
        )

    async def _merge(
        self, children: Sequence[Done], stage: int, lengths: LengthPlan
    ) -> list[Done]:
        """One level of merges; a single group is the last one."""
        budget = prompt_budget(
            self._served.context, self._longest_answer(), self._counter.count_now
        )
        sizes = [self._counter.count_now(child.text) for child in children]
        groups = plan_merge(sizes, budget=budget)
        rows = await self._plan_merges(groups, children, sizes, stage=stage)
        is_last = len(groups) == 1

        def question(row: ChunkRow) -> Question | str:
            parts = [children[at].text for at in groups[row.idx] if children[at].text]
            words = lengths.words if is_last else lengths.section_words
            if len(parts) <= 1:
                return "".join(parts)
            return Question(
                prompt=merge_prompt(parts, words),
                source="\n\n".join(parts),
                words=words,
                max_tokens=(
                    lengths.max_tokens if is_last else lengths.section_max_tokens
                ),
            )

        return await self._work.do_all(rows, question)

    async def _plan_merges(
        self,
        groups: Sequence[range],
        children: Sequence[Done],
        sizes: Sequence[int],
        *,
        stage: int,
    ) -> list[ChunkRow]:
        rows = [
            ChunkRow(
                job_id=self._held.id,
                stage=stage,
                idx=idx,
                start=children[group[0]].row.start,
                end=children[group[-1]].row.end,
                tokens=sum(sizes[at] for at in group),
            )
            for idx, group in enumerate(groups)
        ]
        stored = [row for row in self._stored_rows if row.stage == stage]
        # An engine of another size groups otherwise: a merge of other children, taken
        # for one of these, would leave text out.
        if [_span(row) for row in stored] == [_span(row) for row in rows]:
            return stored
        await self._ledger.plan(self._held, rows)
        return rows

    def _lengths(self, chunk_count: int) -> LengthPlan:
        return plan_lengths(
            self._held.options["length"],
            context=self._served.context,
            chunk_count=chunk_count,
        )

    def _longest_answer(self) -> int:
        lengths = self._lengths(1)
        return max(lengths.max_tokens, lengths.section_max_tokens)

    async def _cite(self, summary: str) -> bytes | None:
        if not self._held.options["citations"]:
            return None
        found = await asyncio.to_thread(cite, summary, self._text)
        return self._seal.seal_citations([asdict(each) for each in found])


def _span(row: ChunkRow) -> tuple[int, int]:
    return row.start, row.end
