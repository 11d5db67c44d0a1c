"""Texts of the sizes that the benchmarks need, the same in every run."""

import random
import re
from collections.abc import Iterator
from typing import Final

from precis.demo.texts import SHORT_TEXT, long_text

_SHORT_BYTES: Final = 900


def short_texts(count: int) -> Iterator[str]:
    """Texts of about 900 bytes: the sentences of one, in orders of their own."""
    sentences = re.split(r"(?<=\.)\s+", SHORT_TEXT.strip())
    chance = random.Random(4)
    for _ in range(count):
        yield _fill(chance.sample(sentences, len(sentences)))


def _fill(sentences: list[str]) -> str:
    text = ""
    for sentence in sentences:
        if len(text) + len(sentence) > _SHORT_BYTES:
            break
        text = f"{text} {sentence}" if text else sentence
    return text


def book(characters: int) -> str:
    """The language reference as often as it takes, each time numbered anew."""
    once, parts, size = long_text(), list[str](), 0
    while size < characters:
        parts.append(f"Volume {len(parts) + 1}\n\n{once}\n\n")
        size += len(parts[-1])
    return "".join(parts)[:characters]
