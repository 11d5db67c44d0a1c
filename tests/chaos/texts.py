"""Texts to summarize: made up, each different, short ones and long ones."""

import random
from typing import Final

_WORDS: Final = (
    "harbour", "council", "winter", "railway", "market", "bridge", "teacher", "river",
    "budget", "engine", "letter", "island", "window", "forest", "doctor", "village",
    "signal", "archive", "garden", "museum", "captain", "valley", "festival", "factory",
    "library", "mountain", "painter", "station", "kitchen", "journal", "theatre",
)  # fmt: skip
_DEEDS: Final = ("opens", "repairs", "sells", "visits", "paints", "closes", "counts")


def make_text(chance: random.Random, *, characters: int) -> str:
    """Sentences in paragraphs, about so many characters."""
    paragraphs: list[str] = []
    length = 0
    while length < characters:
        paragraph = " ".join(_sentence(chance) for _ in range(chance.randint(3, 6)))
        paragraphs.append(paragraph)
        length += len(paragraph) + 2
    return "\n\n".join(paragraphs)


def _sentence(chance: random.Random) -> str:
    first, second, third = chance.sample(_WORDS, 3)
    year = chance.randint(1900, 2020)
    deed = chance.choice(_DEEDS)
    return f"In {year} the {first} {deed} the {second} behind the {third}."
