"""How long a summary is to be, in words for the prompt and in tokens for the engine.

A caller asks for `short`, `medium`, `long` or a number of words. The context of the
served model bounds what can be granted, and the words of the sections follow from
those of the whole: too few and the merge has nothing to choose from, too many and it
needs more levels. The gateway checks the range; here it is only used.
"""

import re
from dataclasses import dataclass
from functools import lru_cache
from typing import Literal

from jobs.summarizing.tokens import ceil_divide

Length = Literal["short", "medium", "long"] | int

LEAST_WORDS = 20
MOST_WORDS = 2_000
_NAMED_WORDS = {"short": 60, "medium": 150, "long": 400}

# English takes 1.3 tokens a word, most scripts 3 at the worst. The rest is for a model
# that overshoots: an answer that is cut is of no use.
_TOKENS_PER_WORD = 3
_SPARE_TOKENS = 64

_SECTIONS_TO_WHOLE = 4  # the sections together, compared with the summary of them
_FEWEST_SECTION_WORDS = 60
_MOST_SECTION_WORDS = 300

# Of the context: an answer of a third leaves room for several sections of a sixth.
_ANSWER_SHARE = 3
_SECTION_SHARE = 6

_DENSE = "\u2e80-\u2fff\u3040-\u9fff\uac00-\ud7af\uf900-\ufaff\U00020000-\U0003ffff"
_DENSE_RUN = re.compile(f"[{_DENSE}]+")
_WORD = re.compile(f"[^\\W{_DENSE}]+(?:['\u2019-][^\\W{_DENSE}]+)*")


@dataclass(frozen=True, kw_only=True)
class LengthPlan:
    """Word targets go into prompts; `max_tokens` bounds each answer at the engine."""

    words: int
    max_tokens: int
    section_words: int
    section_max_tokens: int


@lru_cache
def plan_lengths(length: Length, *, context: int, chunk_count: int) -> LengthPlan:
    """Plan for a text of `chunk_count` chunks, or a merge of as many groups.

    Asked for more than a third of the context, the words granted are fewer.
    """
    words = min(words_of(length), _words_in(context // _ANSWER_SHARE))
    sections = ceil_divide(_SECTIONS_TO_WHOLE * words, max(1, chunk_count))
    wanted = max(_FEWEST_SECTION_WORDS, min(_MOST_SECTION_WORDS, sections))
    section_words = min(wanted, _words_in(context // _SECTION_SHARE))
    return LengthPlan(
        words=words,
        max_tokens=_tokens_for(words),
        section_words=section_words,
        section_max_tokens=_tokens_for(section_words),
    )


def words_of(length: Length) -> int:
    return length if isinstance(length, int) else _NAMED_WORDS[length]


def count_words(text: str) -> int:
    """Count words; two characters of Chinese, Japanese or Korean make about one."""
    dense = sum(len(run) for run in _DENSE_RUN.findall(text))
    return len(_WORD.findall(text)) + ceil_divide(dense, 2)


def _tokens_for(words: int) -> int:
    return _TOKENS_PER_WORD * words + _SPARE_TOKENS


def _words_in(tokens: int) -> int:
    return max(1, (tokens - _SPARE_TOKENS) // _TOKENS_PER_WORD)
