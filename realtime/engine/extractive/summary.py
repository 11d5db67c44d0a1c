"""The embedded engine's answer to a text: its most central sentences, in order.

A text that is short already comes back as it is. Where no sentence fits, the best
one is shortened, so that a text with anything visible in it never gives nothing.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from jobs.summarizing.tokens import count_tokens
from realtime.engine.extractive.lengths import cut_to_fit, length_in_words
from realtime.engine.extractive.ranking import Checkpoint, Ranking, rank_sentences
from realtime.engine.extractive.scripts import joins_without_space
from realtime.engine.extractive.selection import Budget, select_sentences
from realtime.engine.extractive.sentences import Sentence, split_sentences

_ELLIPSIS = "…"
_STRETCH = 2  # rather than cut a sentence, give one so many times longer than asked


@dataclass(frozen=True, slots=True)
class Extract:
    text: str
    is_cut: bool
    """Whether `max_tokens` ended it in the middle of a sentence."""


def summarize(text: str, *, budget: Budget, check: Checkpoint) -> Extract:
    text = text.strip()
    if not text or _is_short(text, budget):
        return Extract(text, is_cut=False)
    check()
    sentences = _different_sentences(text)
    ranking = rank_sentences(sentences, check=check)
    chosen = select_sentences(sentences, ranking, budget=budget)
    if chosen:
        return Extract(_join([sentences[index].text for index in chosen]), is_cut=False)
    return _shortened(
        sentences[_best(ranking)], is_all=len(sentences) == 1, budget=budget
    )


def _different_sentences(text: str) -> tuple[Sentence, ...]:
    """Split; a sentence said twice would lend weight to itself."""
    sentences = tuple(dict.fromkeys(split_sentences(text)))
    return sentences or (Sentence(text, is_prose=False),)


def _is_short(text: str, budget: Budget) -> bool:
    fits = count_tokens(text) <= budget.max_tokens
    return fits and length_in_words(text) <= budget.max_words


def _join(texts: Sequence[str]) -> str:
    joined = texts[0]
    for text in texts[1:]:
        joined += text if joins_without_space(joined, text) else f" {text}"
    return joined


def _best(ranking: Ranking) -> int:
    return ranking.indices[int(ranking.scores.argmax())]


def _shortened(sentence: Sentence, *, is_all: bool, budget: Budget) -> Extract:
    """Shorten to the words asked for by choice, to the tokens allowed by force."""
    text = sentence.text
    stretch = _STRETCH if sentence.is_prose and not is_all else 1
    if length_in_words(text) > stretch * budget.max_words:
        text = cut_to_fit(text, lambda part: length_in_words(part) <= budget.max_words)
        text += _ELLIPSIS
    if count_tokens(text) <= budget.max_tokens:
        return Extract(text, is_cut=False)
    kept = cut_to_fit(text, lambda part: count_tokens(part) <= budget.max_tokens)
    return Extract(kept, is_cut=True)
