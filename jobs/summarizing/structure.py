"""Where a text may be cut, and how well: headings, paragraphs, sentences, words.

Positions only, in code points of the text as sent: nothing is cleaned, trimmed or
left out here, so that what is cut can be put together again. How much goes into one
chunk is `chunking`'s matter; `citations` uses the same sentences.
"""

import re
import unicodedata
from collections.abc import Iterator
from enum import IntEnum
from itertools import pairwise

from sentencex import (  # type: ignore[import-untyped]  # it ships no types
    get_sentence_boundaries,
)


class Boundary(IntEnum):
    """How good a place to cut is; a greater one is preferred."""

    HARD = 0
    WORD = 1
    CLAUSE = 2
    LINE = 3
    SENTENCE = 4
    PARAGRAPH = 5
    HEADING = 6


# sentencex takes time in the square of the sentences given to it at once where the
# text is not ASCII (490,000 characters of Chinese: 44 s). In windows it is linear.
_WINDOW = 2_000

_PARAGRAPH_END = re.compile(r"\n[^\S\n]*+\n\s*+")

# A heading that has no mark of its own stands after a blank line.
_APART = r"(?:(?<=\n\n)|(?<=\n\r\n)|\A)"

# Each alternative is bounded, so that a line of a megabyte is looked at once.
_HEADING = re.compile(
    rf"""^(?:
        [ ]{{0,3}}\#{{1,6}}[ \t]+\S                                 # Markdown
      | \S[^\n]{{0,79}}\n([=\-~*^"+\#])\1{{2,79}}[ \t\r]*$          # underlined
      | {_APART}(?:
            (?:\d{{1,3}}\.){{0,4}}\d{{1,3}}\.?[ \t]+\S[^\n]{{0,70}}[^\s.,;:!?][ \t\r]*$
          | (?:chapter|part|section|book|appendix)[ \t]+\w{{1,12}}\b[^\n]{{0,70}}$
          | 第[一二三四五六七八九十百零〇\d]{{1,6}}[章节回部篇卷][^\n]{{0,40}}$
        )
    )""",
    re.MULTILINE | re.VERBOSE | re.IGNORECASE,
)
_CAPITALS = re.compile(rf"^{_APART}[^\na-z]{{3,60}}$", re.MULTILINE)
_TWO_CAPITALS = re.compile(r"[^\W\d_]{2}")

_SURROGATE = re.compile("[\ud800-\udfff]")

_CUTS = (
    (Boundary.LINE, re.compile(r"\n\s*+")),
    (
        Boundary.CLAUSE,
        re.compile(r"(?:[,;:)\]]+(?=\s)|[\uff0c\uff1b\uff1a\u3001\u2013\u2014]+)\s*+"),
    ),
    (Boundary.WORD, re.compile(r"\s++")),
)
_FURTHEST_STEP_BACK = 32  # past that it is a tower of marks, and cut it must be
_JOINER = "\u200d"


def blocks(text: str) -> Iterator[tuple[int, int, Boundary]]:
    """Cut into paragraphs and sections: start, end and how good a cut the start is."""
    starts = {0: Boundary.HEADING}
    for found in _PARAGRAPH_END.finditer(text):
        starts[found.end()] = Boundary.PARAGRAPH
    starts |= dict.fromkeys(_headings(text), Boundary.HEADING)
    starts.pop(len(text), None)
    for start, end in pairwise([*sorted(starts), len(text)]):
        yield start, end, starts[start]


def _headings(text: str) -> Iterator[int]:
    for found in _HEADING.finditer(text):
        yield found.start()
    for found in _CAPITALS.finditer(text):
        if _TWO_CAPITALS.search(found[0]) and found[0].isupper():
            yield found.start()


def sentences(text: str, start: int, end: int) -> Iterator[tuple[int, int]]:
    """Cut text[start:end] into sentences whose union it is, in windows.

    A window's last sentence may go on beyond it, so the next window begins there. One
    that is longer than a window is cut between words.
    """
    while start < end:
        window = text[start : min(end, start + _WINDOW)]
        ends = [start + offset for offset in _sentence_ends(window)]
        if start + len(window) < end:
            ends = ends[:-1] or [best_cut(text, start, start + len(window))[0]]
        for cut in ends:
            yield start, cut
            start = cut


def _sentence_ends(window: str) -> list[int]:
    """The offsets behind each sentence, blank ones and torn line ends mended."""
    found = get_sentence_boundaries("en", _SURROGATE.sub("\ufffd", window))
    ends = [sentence["end_index"] for sentence in found if sentence["text"].strip()]
    whole = [cut for cut in ends if not _tears(window, cut)]
    return [*(cut for cut in whole if cut < len(window)), len(window)]


def shortened(
    text: str, start: int, end: int, *, most: int
) -> Iterator[tuple[int, int, Boundary]]:
    """Cut what is still longer than `most`; the first start counts as a sentence's."""
    boundary = Boundary.SENTENCE
    while end - start > most:
        cut, next_boundary = best_cut(text, start, start + most)
        yield start, cut, boundary
        start, boundary = cut, next_boundary
    yield start, end, boundary


def best_cut(text: str, start: int, end: int) -> tuple[int, Boundary]:
    """Find a cut in the later half of text[start:end] where it has no sentence end.

    The cut may be `end` itself, and is always past `start`.
    """
    middle = start + (end - start) // 2
    for boundary, shape in _CUTS:
        cuts = [found.end() for found in shape.finditer(text, middle, end)]
        if cuts:
            return cuts[-1], boundary
    return hard_cut(text, start, end), Boundary.HARD


def hard_cut(text: str, start: int, end: int) -> int:
    """Step back from `end` until no character is torn from its marks."""
    for cut in range(end, max(start, end - _FURTHEST_STEP_BACK), -1):
        if not _tears(text, cut):
            return cut
    return end


def _tears(text: str, cut: int) -> bool:
    if not 0 < cut < len(text):
        return False
    before, after = text[cut - 1], text[cut]
    return (
        (before == "\r" and after == "\n")
        or _JOINER in (before, after)
        or unicodedata.category(after) in ("Mn", "Me", "Mc")
        or "\U0001f3fb" <= after <= "\U0001f3ff"  # skin tones
        or ("\ud800" <= before <= "\udbff" and "\udc00" <= after <= "\udfff")
    )
