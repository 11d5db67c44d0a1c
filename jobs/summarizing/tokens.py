"""How many tokens a text has, without asking a model.

`count_tokens` is the embedded engine's own rule; gateway, worker and engine call it
alike, so a text counts the same wherever it is counted. `estimate_tokens` stands in
for the tokenizer of a foreign server that offers no /tokenize: it errs upwards, so
that a prompt that fits by the estimate fits in truth.

Both weigh the bytes of UTF-8 by tables instead of a loop, since the first byte of a
character tells its script: linear, some milliseconds for a book, and the parts of a
text add up to the whole but for a few tokens at each cut. The served model's true
tokenizer is asked by plumbing, not here.
"""

import re
import string
from collections.abc import Iterable

_SLICE = 1 << 16  # code points weighed together: a book takes little memory

# A run this long without a space is base64, a key or a hash more often than a word,
# and those share few pieces with any vocabulary. The look-behind lets each run be
# tried once, from its start, so that no text is slow.
_LONG_RUN = re.compile(r"(?<![!-~])[!-~]{25,}")

_Weights = tuple[tuple[int, bytes], ...]


def _weights(*classes: tuple[int, Iterable[int]]) -> _Weights:
    """Pair each weight with the bytes to delete, so that what stays is counted."""
    every = frozenset(range(256))
    return tuple((weight, bytes(every - set(members))) for weight, members in classes)


# In quarters of a token. Bytes 0x80 to 0xBF continue a character and weigh nothing.
_RULE = _weights(
    (1, [*range(0x80), *range(0xC2, 0xCB)]),  # ASCII, Latin
    (2, range(0xCB, 0xDC)),  # Greek, Cyrillic, Hebrew, Arabic
    (4, range(0xDC, 0xF0)),  # Chinese, Japanese, Korean, Thai, Indic, signs
    (8, range(0xF0, 0xF8)),  # emoji, rare Chinese
)

# In sixths of a token. A byte-level BPE never makes more tokens than there are bytes,
# so three and four bytes a character are a true bound for scripts it may not know.
# Chinese it knows: two was the worst seen. Digits and signs often stand alone.
_BOUND = _weights(
    (2, string.ascii_lowercase.encode()),
    (3, string.ascii_uppercase.encode()),
    (4, b" \t"),
    (6, set(range(0x80)) - set(string.ascii_letters.encode() + b" \t")),
    (8, range(0xC2, 0xE0)),
    (12, range(0xE3, 0xEA)),
    (18, [*range(0xE0, 0xE3), *range(0xEA, 0xF0)]),
    (24, range(0xF0, 0xF8)),
)


def count_tokens(text: str) -> int:
    """Count by the embedded engine's rule; at least 1 for any text that is not empty.

    Four Latin characters make a token, and two of a long unbroken run or of another
    alphabet; a character of Chinese, Thai and the like is one token, an emoji two.
    """
    return _ceil_divide(_weigh(text, _RULE) + _length_of_long_runs(text), 4)


def estimate_tokens(text: str) -> int:
    """Estimate upwards for a byte-level BPE that cannot be asked.

    About 1.6 times the truth for English prose, and never less than one token a
    character in long unbroken runs: base64 reaches 0.8.
    """
    return _ceil_divide(_weigh(text, _BOUND) + 4 * _length_of_long_runs(text), 6)


def _weigh(text: str, weights: _Weights) -> int:
    return sum(
        weight * len(encoded.translate(None, others))
        for encoded in _encoded_slices(text)
        for weight, others in weights
    )


def _encoded_slices(text: str) -> Iterable[bytes]:
    for at in range(0, len(text), _SLICE):
        yield text[at : at + _SLICE].encode("utf-8", "surrogatepass")


def _length_of_long_runs(text: str) -> int:
    return sum(run.end() - run.start() for run in _LONG_RUN.finditer(text))


def _ceil_divide(dividend: int, divisor: int) -> int:
    return -(-dividend // divisor)
