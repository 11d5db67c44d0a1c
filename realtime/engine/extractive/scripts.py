"""Which characters are written without spaces between words.

Chinese, Japanese and Thai need pairs of characters where other languages have
words, and sentences of theirs are joined without a space.
"""

import re

# Kana, Han (with its extensions), Thai, Lao, Khmer and Burmese.
UNSPACED = (
    "\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff\u3040-\u30ff\u3400-\u9fff\uf900-\ufaff"
    "\U00020000-\U0003ffff"
)

_UNSPACED_CHARACTER = re.compile(f"[{UNSPACED}]")
_WIDE_EDGE = re.compile(f"[{UNSPACED}\u3000-\u303f\uff00-\uffef“”‘’…—]")  # noqa: RUF001 - these very signs are meant


def count_unspaced(text: str) -> int:
    return len(_UNSPACED_CHARACTER.findall(text))


def is_mostly_unspaced(text: str) -> bool:
    """Say whether a third or more of the visible characters are of such a script."""
    return 3 * count_unspaced(text) >= len("".join(text.split())) > 0


def joins_without_space(left: str, right: str) -> bool:
    """Say whether two sentences follow each other without a space between them."""
    return bool(_WIDE_EDGE.match(left[-1:]) and _WIDE_EDGE.match(right[:1]))
