"""How long a text is for a reader, in words, and how to shorten it to fit.

A run of 200,000 letters is not one word, so tokens count as well: "at most N words"
must bound what there is to read in any text.
"""

import re
import unicodedata
from collections.abc import Callable

from jobs.summarizing.lengths import count_words
from jobs.summarizing.tokens import count_tokens

_MOST_TOKENS_PER_WORD = 2  # of prose in any language with spaces
_WORD_END = re.compile(r"\s+|(?<=[,;:，；：、。])")  # noqa: RUF001 - Chinese punctuation
_LEAST_SHARE_AT_A_WORD = 0.5


def length_in_words(text: str) -> float:
    return max(count_words(text), count_tokens(text) / _MOST_TOKENS_PER_WORD)


def cut_to_fit(text: str, fits: Callable[[str], bool]) -> str:
    """Return the longest beginning of `text` that fits, ending with a word if it can.

    Never empty: one character stays even if it does not fit.
    """
    cut = _longest_fitting(text, fits)
    if cut == len(text):
        return text
    ends = [end.start() for end in _WORD_END.finditer(text, 0, cut + 1)]
    if ends and ends[-1] >= _LEAST_SHARE_AT_A_WORD * cut > 0:
        cut = ends[-1]
    return text[: _before_marks(text, cut)].rstrip()


def _longest_fitting(text: str, fits: Callable[[str], bool]) -> int:
    low, high = 1, len(text)
    while low < high:
        middle = (low + high + 1) // 2
        low, high = (middle, high) if fits(text[:middle]) else (low, middle - 1)
    return low


def _before_marks(text: str, cut: int) -> int:
    """Step back so that no accent is parted from its letter."""
    at = cut
    while at > 1 and unicodedata.combining(text[at]):
        at -= 1
    return at
