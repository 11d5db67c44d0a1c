"""A text as a row of sentences, whatever the text is.

Prose is cut by sentencex. Headings, list items, table rows and lines of code, which
have no sentence end, become a piece each, and what is too long for a sentence is cut
at clauses, words or, as a last resort, anywhere. Ranking is left to its neighbours.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass

import sentencex  # type: ignore[import-untyped]

from jobs.summarizing.tokens import count_tokens
from realtime.engine.extractive.scripts import count_unspaced, is_mostly_unspaced

# A longer sentence is a list, a table or a text without punctuation.
_MAX_SENTENCE_TOKENS = 160
_MAX_PIECE_LENGTH = 320

# sentencex takes quadratic time over many opening quotes; blocks keep that small.
_BLOCK_LENGTH = 8_000

_PARAGRAPH_END = re.compile(r"\n[^\S\n]*\n\s*")
_HEADING = re.compile(r"^[^\S\n]*#{1,6}[^\S\n].*$", re.MULTILINE)
_LEADING_MARK = re.compile(r"^(?:#{1,6}|[-*+•·>]|\|)\s+")
_SENTENCE_END = re.compile(r"[.!?。！？…؟।][\"'”’»」』)\]）]*$")  # noqa: RUF001 - ends of sentences in other scripts
_CLAUSE_END = re.compile(r"[,;:，；：、]\s*|\s+")  # noqa: RUF001 - Chinese punctuation
_WORD = re.compile(r"\w+")

_FEWEST_WORDS = 4
_FEWEST_UNSPACED = 6


@dataclass(frozen=True, slots=True)
class Sentence:
    """One candidate for the summary, its inner white space made single."""

    text: str
    is_prose: bool
    """Whether it reads as a sentence; a heading, a table row or code does not."""


def split_sentences(text: str) -> tuple[Sentence, ...]:
    language = "zh" if is_mostly_unspaced(text) else "en"
    pieces = (
        piece
        for block in _blocks(text)
        for sentence in sentencex.get_sentence_boundaries(language, block)
        for piece in _pieces(sentence["text"])
    )
    return tuple(_sentence(piece) for piece in pieces if _WORD.search(piece))


def _blocks(text: str) -> Iterator[str]:
    for paragraph in _PARAGRAPH_END.split(text):
        for block in _headings_apart(paragraph):
            yield from _limited(block, _BLOCK_LENGTH)


def _headings_apart(paragraph: str) -> Iterator[str]:
    at = 0
    for heading in _HEADING.finditer(paragraph):
        yield paragraph[at : heading.start()]
        yield heading.group()
        at = heading.end()
    yield paragraph[at:]


def _pieces(sentence: str) -> Iterator[str]:
    """Keep a sentence whole; cut what only looks like one into lines and clauses."""
    lines = sentence.strip().splitlines()
    if _is_sentence(sentence) and count_tokens(sentence) <= _MAX_SENTENCE_TOKENS:
        yield " ".join(lines)
        return
    for line in lines:
        yield from _limited(line, _MAX_PIECE_LENGTH)


def _limited(text: str, length: int) -> Iterator[str]:
    """Cut `text` into parts of at most `length`, after a clause or word if one ends."""
    at = 0
    while len(text) - at > length:
        ends = [end.end() for end in _CLAUSE_END.finditer(text, at, at + length)]
        cut = ends[-1] if ends else at + length
        yield text[at:cut]
        at = cut
    yield text[at:]


def _is_sentence(text: str) -> bool:
    return bool(_SENTENCE_END.search(text.rstrip()))


def _sentence(piece: str) -> Sentence:
    text = _LEADING_MARK.sub("", " ".join(piece.split()))
    is_long_enough = (
        len(_WORD.findall(text)) >= _FEWEST_WORDS
        or count_unspaced(text) >= _FEWEST_UNSPACED
    )
    return Sentence(text, is_prose=is_long_enough and _is_sentence(text))
