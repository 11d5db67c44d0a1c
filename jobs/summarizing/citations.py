"""Which sentence of the source supports each sentence of a summary.

Computed after the model and apart from it: a citation is a place in the text as sent
where the reader can look for himself, not a claim of the model. A sentence that is in
the source word for word points there; else the source sentence that shares most of
its telling words, rare ones counting more. Below a floor nothing is cited: no pointer
is better than a wrong one.

Looks at the source once and keeps only the words that the summary has.
"""

import math
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from jobs.summarizing.structure import blocks, sentences, shortened

MOST_CITATIONS = 100

_LONGEST_SENTENCE = 600  # characters; a longer "sentence" would point nowhere
_FLOOR = 1 / 3
_FEWEST_SHARED = 3
_EXACT = 1.0
_MOST_CANDIDATES = 2_000  # sentences compared with one of the summary
_SHORTEST_EXACT = 12  # "Yes." is found everywhere and supports nothing

_DENSE = "\u3040-\u30ff\u3400-\u9fff\uac00-\ud7af"
# A word, or (without moving past it) two characters of a script without spaces.
_TERM = re.compile(f"[^\\W{_DENSE}]{{2,}}|(?=([{_DENSE}]{{2}}))")


@dataclass(frozen=True, kw_only=True)
class Citation:
    """Places in code points: of a sentence in the summary, of its support in the source."""

    sentence_index: int
    sentence_start: int
    sentence_end: int
    source_start: int
    source_end: int
    score: float


@dataclass(frozen=True, slots=True)
class _Sentence:
    start: int
    end: int


def cite(
    summary: str, source: str, *, base_offset: int = 0, limit: int = MOST_CITATIONS
) -> tuple[Citation, ...]:
    """Cite for at most `limit` sentences of the summary, in their order.

    `base_offset` is where `source` begins in the text as sent.
    """
    claims = _sentences(summary)[:limit]
    places = _Places(source, {term for it in claims for term in _terms(summary, it)})
    found = ((claim, places.best(summary, claim)) for claim in claims)
    return tuple(
        Citation(
            sentence_index=index,
            sentence_start=claim.start,
            sentence_end=claim.end,
            source_start=base_offset + place.start,
            source_end=base_offset + place.end,
            score=round(score, 3),
        )
        for index, (claim, (place, score)) in enumerate(found)
        if place is not None
    )


class _Places:
    """The sentences of a source, found again by the words that are asked for."""

    def __init__(self, source: str, wanted: set[str]) -> None:
        self._source = source
        self._sentences = _sentences(source)
        self._held = [wanted.intersection(_terms(source, it)) for it in self._sentences]
        self._holders = _inverted(self._held)

    def best(self, summary: str, claim: _Sentence) -> tuple[_Sentence | None, float]:
        exact = self._word_for_word(summary[claim.start : claim.end])
        if exact is not None:
            return exact, _EXACT
        terms = set(_terms(summary, claim))
        weights = {term: self._weight(term) for term in sorted(terms)}
        ranked = (
            (self._score(at, weights), -self._length(at), -at)
            for at in self._candidates(terms)
            if len(self._held[at] & terms) >= _FEWEST_SHARED
        )
        score, _, best = max(ranked, default=(0.0, 0, 0))
        return (self._sentences[-best], score) if score >= _FLOOR else (None, score)

    def _word_for_word(self, claim: str) -> _Sentence | None:
        at = self._source.find(claim) if len(claim) >= _SHORTEST_EXACT else -1
        return None if at < 0 else _Sentence(at, at + len(claim))

    def _candidates(self, terms: set[str]) -> set[int]:
        """Gather the holders of the rarest terms, for the rest is in every sentence."""
        found: set[int] = set()
        holders = sorted(self._holders.get(term, []) for term in terms)
        for places in sorted(holders, key=len):
            found.update(places[: _MOST_CANDIDATES - len(found)])
        return found

    def _score(self, at: int, weights: dict[str, float]) -> float:
        """Tell which share of the weights this sentence holds, in a fixed order."""
        held = self._held[at]
        shared = sum(weight for term, weight in weights.items() if term in held)
        return shared / sum(weights.values())

    def _weight(self, term: str) -> float:
        """Weigh by rarity; a word of the summary's own says less than one shared."""
        count = len(self._holders.get(term, ()))
        rarity = math.log(1 + len(self._sentences) / max(1, count))
        return rarity if count else rarity / 2

    def _length(self, at: int) -> int:
        return self._sentences[at].end - self._sentences[at].start


def _sentences(text: str) -> list[_Sentence]:
    return [
        _Sentence(end - len(part.lstrip()), start + len(part.rstrip()))
        for start, end in _cuts(text)
        if (part := text[start:end]).strip()
    ]


def _cuts(text: str) -> Iterator[tuple[int, int]]:
    for block_start, block_end, _ in blocks(text):
        for start, end in sentences(text, block_start, block_end):
            for cut, stop, _ in shortened(text, start, end, most=_LONGEST_SENTENCE):
                yield cut, stop


def _inverted(held: Sequence[set[str]]) -> dict[str, list[int]]:
    holders: dict[str, list[int]] = {}
    for at, terms in enumerate(held):
        for term in terms:
            holders.setdefault(term, []).append(at)
    return holders


def _terms(text: str, place: _Sentence) -> Iterator[str]:
    for found in _TERM.finditer(text, place.start, place.end):
        yield (found[1] or found[0]).lower()
