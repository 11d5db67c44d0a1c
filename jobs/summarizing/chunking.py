"""Cut a long text into chunks that fit a token budget, along its own structure.

The spans are in order, disjoint, and their union is the whole text as sent: that is
what `coverage` is computed from, so nothing is trimmed. A cut falls before a heading
rather than a paragraph, there rather than between sentences, and so on down to a
character; chunks are of about equal size, so that no crumb is left at the end.

Deterministic and about linear: tokens are counted once for each small piece and once
for each chunk. What is done with a chunk is not known here.
"""

from bisect import bisect_left, bisect_right
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import accumulate

from jobs.summarizing.structure import Boundary, best_cut, blocks, sentences, shortened

Count = Callable[[str], int]
_Stretch = tuple[int, int, Boundary]

_PIECES_PER_CHUNK = 16  # finer costs time, coarser makes chunks uneven
_WORTH_COUNTING_WHOLE = 8  # characters a token: a longer text hardly fits
_LEAST_FILLED = 0.7  # of the target; below, a good cut does not pay for its call


@dataclass(frozen=True, kw_only=True)
class ChunkSpan:
    index: int
    start: int
    end: int
    tokens: int


@dataclass(frozen=True, slots=True)
class _Piece:
    """A stretch of text that is not cut any more, and how good a cut its start is."""

    start: int
    end: int
    boundary: Boundary
    tokens: int


def plan_chunks(text: str, *, budget: int, count: Count) -> tuple[ChunkSpan, ...]:
    """Plan chunks of at most `budget` tokens; only a lone code point may exceed it.

    `count` must tell the tokens of what will be sent for a piece: where `cleaning`
    changes the text, count the cleaned piece.
    """
    if budget < 1:
        raise ValueError("a chunk needs a budget of at least one token")
    if 0 < len(text) <= budget * _WORTH_COUNTING_WHOLE:
        tokens = count(text)
        if tokens <= budget:
            return (ChunkSpan(index=0, start=0, end=len(text), tokens=tokens),)
    pieces = list(_pieces(text, budget=budget, count=count))
    packed = enumerate(_pack(text, pieces, budget=budget, count=count))
    return tuple(
        ChunkSpan(index=index, start=start, end=end, tokens=tokens)
        for index, (start, end, tokens) in packed
    )


def _pieces(text: str, *, budget: int, count: Count) -> Iterator[_Piece]:
    grain = max(1, budget // _PIECES_PER_CHUNK)
    for start, end, boundary in _joined(_cuts(text, grain), grain):
        tokens = count(text[start:end])
        whole = _Piece(start, end, boundary, tokens)
        yield from _halved(text, whole, budget=budget, count=count)


def _cuts(text: str, grain: int) -> Iterator[_Stretch]:
    """Cut down to sentences, and sentences of many grains further."""
    for start, end, boundary in blocks(text):
        if end - start <= grain:
            yield start, end, boundary
            continue
        for sentence in sentences(text, start, end):
            for cut, stop, better in shortened(text, *sentence, most=4 * grain):
                yield cut, stop, boundary if cut == start else better


def _joined(stretches: Iterator[_Stretch], grain: int) -> Iterator[_Stretch]:
    """Join crumbs, so that a text of one-word lines is not counted line by line."""
    start, end, boundary = next(stretches, (0, 0, Boundary.HEADING))
    for next_start, next_end, next_boundary in stretches:
        most = grain if next_boundary <= Boundary.SENTENCE else grain // 4
        if next_end - start > most:
            yield start, end, boundary
            start, boundary = next_start, next_boundary
        end = next_end
    if start < end:
        yield start, end, boundary


def _halved(text: str, piece: _Piece, *, budget: int, count: Count) -> Iterator[_Piece]:
    if piece.tokens <= budget or piece.end - piece.start == 1:
        yield piece
        return
    cut, boundary = best_cut(text, piece.start, (piece.start + piece.end) // 2)
    for start, end, quality in (
        (piece.start, cut, piece.boundary),
        (cut, piece.end, boundary),
    ):
        half = _Piece(start, end, quality, count(text[start:end]))
        yield from _halved(text, half, budget=budget, count=count)


def _pack(
    text: str, pieces: Sequence[_Piece], *, budget: int, count: Count
) -> Iterator[tuple[int, int, int]]:
    sums = list(accumulate((piece.tokens for piece in pieces), initial=0))
    first = 0
    while first < len(pieces):
        wanted = _choose_end(pieces, sums, first, budget)
        taken, tokens = _take(text, pieces[first:wanted], budget, count)
        last = first + taken - 1
        yield pieces[first].start, pieces[last].end, tokens
        first = last + 1


def _choose_end(
    pieces: Sequence[_Piece], sums: Sequence[int], first: int, budget: int
) -> int:
    """Choose the best cut that leaves this chunk and those to come evenly filled."""
    remaining = sums[-1] - sums[first]
    if remaining <= budget or first + 1 == len(pieces):
        return len(pieces)
    target = remaining / -(-remaining // budget)
    most = max(first + 1, bisect_right(sums, sums[first] + budget) - 1)
    least = bisect_left(sums, sums[first] + _LEAST_FILLED * target, first + 1, most)

    def quality(end: int) -> tuple[Boundary, float]:
        return pieces[end].boundary, -abs(sums[end] - sums[first] - target)

    return max(range(least, most + 1), key=quality)


def _take(
    text: str, pieces: Sequence[_Piece], budget: int, count: Count
) -> tuple[int, int]:
    """Count the chunk as a whole, since its parts need not add up exactly."""
    taken = len(pieces)
    tokens = count(text[pieces[0].start : pieces[taken - 1].end])
    while tokens > budget and taken > 1:
        taken = max(1, min(taken - 1, int(taken * budget / tokens)))
        tokens = count(text[pieces[0].start : pieces[taken - 1].end])
    return taken, tokens
