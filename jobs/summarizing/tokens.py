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
from typing import NamedTuple

_SLICE = 1 << 16  # code points weighed together: a book takes little memory

# A run this long without a space is base64, a key or a hash more often than a word,
# and those share few pieces with any vocabulary. The look-behind lets each run be
# tried once, from its start, so that no text is slow.
_LONG_RUN = re.compile(r"(?<![!-~])[!-~]{25,}")


class _Weights(NamedTuple):
    """Each weight with the bytes to delete, so that what stays is counted."""

    of_all: tuple[tuple[int, bytes], ...]
    of_ascii: tuple[tuple[int, bytes], ...]


def _weights(*classes: tuple[int, Iterable[int]]) -> _Weights:
    every = frozenset(range(256))
    sets = [(weight, frozenset(members)) for weight, members in classes]
    return _Weights(
        tuple((weight, bytes(every - members)) for weight, members in sets),
        tuple(
            (weight, bytes(every - members))
            for weight, members in sets
            if not members.isdisjoint(range(0x80))
        ),
    )


# In quarters of a token. Bytes 0x80 to 0xBF continue a character and weigh nothing.
_RULE = _weights(
    (1, [*range(0x80), *range(0xC2, 0xCB)]),  # ASCII, Latin
    (2, range(0xCB, 0xDC)),  # Greek, Cyrillic, Hebrew, Arabic
    (4, range(0xDC, 0xF0)),  # Chinese, Japanese, Korean, Thai, Indic, signs
    (8, range(0xF0, 0xF8)),  # emoji, rare Chinese
)

# In sixths of a token. A byte-level BPE never makes more tokens than there are bytes:
# three and four bytes a character bound the scripts that it may hardly know. Chinese
# it knows, two is the worst seen in running text; digits and signs often stand alone.
_BOUND = _weights(
    (2, string.ascii_lowercase.encode()),
    (3, string.ascii_uppercase.encode()),
    (5, b" "),
    (6, set(range(0x80)) - set(string.ascii_letters.encode() + b" ")),
    (8, {*range(0xC2, 0xE0)} - {0xCC, 0xCD}),
    (12, [0xCC, 0xCD, *range(0xE3, 0xEA)]),  # combining marks, Chinese, Japanese
    (18, [*range(0xE0, 0xE3), *range(0xEA, 0xF0)]),
    (24, range(0xF0, 0xF8)),
)

_NOT_DENSE = bytes({*range(256)} - {*range(0xE3, 0xEA)})  # Chinese, Japanese

# Besides long runs, a shorter one with a digit in it may be a key, a hash or base64.
_UNREADABLE = re.compile(r"(?<![!-~])(?:[!-~]{25,}|[!-/:-~]*+[0-9][!-~]*)")


def count_tokens(text: str) -> int:
    """Count by the embedded engine's rule; at least 1 for any text that is not empty.

    Four Latin characters make a token, and two of a long unbroken run or of another
    alphabet; a character of Chinese, Thai and the like is one token, an emoji two.
    """
    return ceil_divide(_weigh(text, _RULE) + _length_of_runs(_LONG_RUN, text), 4)


def estimate_tokens(text: str) -> int:
    """Estimate upwards for a byte-level BPE that cannot be asked.

    Tried against two such vocabularies, of 65,000 and 131,000 pieces: about twice
    their count for English and Chinese prose, 1.6 times for base64, 1.1 for emoji, and
    just their count for Finnish. Random letters or rare characters alone may exceed it.
    """
    return ceil_divide(_weigh(text, _BOUND) + 4 * _length_of_runs(_UNREADABLE, text), 6)


def is_cut(text: str, counted: int) -> bool:
    """Tell whether a server that counted so few tokens in `text` has cut it.

    No common vocabulary joins words across a space; of scripts that write without
    spaces, pieces of two characters are the longest usual ones. The embedded engine
    does join short words, so its rule is a bound as well.
    """
    dense = 0 if text.isascii() else len(_encoded(text).translate(None, _NOT_DENSE))
    return counted < len(text.split()) + dense // 2 and counted < count_tokens(text)


def _weigh(text: str, weights: _Weights) -> int:
    total = 0
    for encoded in _encoded_slices(text):
        table = weights.of_ascii if encoded.isascii() else weights.of_all
        for weight, others in table:
            total += weight * len(encoded.translate(None, others))
    return total


def _encoded_slices(text: str) -> Iterable[bytes]:
    for at in range(0, len(text), _SLICE):
        yield _encoded(text[at : at + _SLICE])


def _encoded(text: str) -> bytes:
    return text.encode("utf-8", "surrogatepass")


def _length_of_runs(shape: re.Pattern[str], text: str) -> int:
    return sum(run.end() - run.start() for run in shape.finditer(text))


def ceil_divide(dividend: int, divisor: int) -> int:
    return -(-dividend // divisor)
