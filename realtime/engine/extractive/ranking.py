"""How central each sentence is to the whole text: TextRank over TF-IDF.

Sentences are nodes, their cosine likeness is the weight of an edge, and the
stationary visit rate of a random walk is the rank. The graph never holds more than
`MAX_NODES` sentences: a longer text is ranked in rounds, each keeping the best of
every stretch, so that work grows with the length and not with its square.
Which sentences are kept in the end is left to `selection`.
"""

import math
import re
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from realtime.engine.extractive.sentences import Sentence
from realtime.engine.extractive.terms import count_terms

Checkpoint = Callable[[], None]
"""Called between steps of work; it raises when the work is no longer wanted."""

Floats = NDArray[np.float32]

MAX_NODES = 320
_SURVIVING_SHARE = 4  # one in so many goes on to the next round

_DAMPING = 0.85
_WALK_STEPS = 30
_TINY = np.float32(1e-9)
# A term of one sentence ties it to nothing; at full weight the wordy would lose.
_LONE_WEIGHT = 0.3
_DIGIT = re.compile(r"\d")

# Small beside the rank, whose best is 1: they decide between equals.
_OPENING_BONUS = 0.12
_OPENING_FADE = 3.0
_NUMBER_BONUS = 0.06
_FRAGMENT_FACTOR = 0.4

# BLAS sums in an order that depends on the processor: beyond this digit two machines
# may differ, and ties are then broken by the order in the text.
_DIGITS = 4


@dataclass(frozen=True, slots=True)
class Ranking:
    """The sentences that came through the rounds, in the order of the text."""

    indices: tuple[int, ...]
    scores: Floats
    likeness: Floats
    """Cosine of each to each; 0 on the diagonal."""


def rank_sentences(sentences: Sequence[Sentence], *, check: Checkpoint) -> Ranking:
    terms = [count_terms(sentence.text) for sentence in sentences]
    indices = list(range(len(sentences)))
    while len(indices) > MAX_NODES:
        indices = _best_of_each_stretch(indices, sentences, terms, check=check)
    check()
    return _rank(indices, sentences, terms)


def _best_of_each_stretch(
    indices: list[int],
    sentences: Sequence[Sentence],
    terms: Sequence[Counter[str]],
    *,
    check: Checkpoint,
) -> list[int]:
    survivors: list[int] = []
    for at in range(0, len(indices), MAX_NODES):
        check()
        ranking = _rank(indices[at : at + MAX_NODES], sentences, terms)
        keep = -(-len(ranking.indices) // _SURVIVING_SHARE)
        best = np.argsort(-ranking.scores, kind="stable")[:keep]
        survivors.extend(ranking.indices[place] for place in sorted(best))
    return survivors


def _rank(
    indices: Sequence[int],
    sentences: Sequence[Sentence],
    terms: Sequence[Counter[str]],
) -> Ranking:
    likeness = _likeness([terms[index] for index in indices])
    scores = _walk(likeness)
    scores += _OPENING_BONUS * np.exp(-np.asarray(indices, np.float32) / _OPENING_FADE)
    for place, index in enumerate(indices):
        scores[place] += _NUMBER_BONUS * bool(_DIGIT.search(sentences[index].text))
        scores[place] *= 1 if sentences[index].is_prose else _FRAGMENT_FACTOR
    return Ranking(tuple(indices), np.round(scores, _DIGITS), likeness)


def _likeness(terms: Sequence[Counter[str]]) -> Floats:
    vectors = _vectors(terms)
    likeness = vectors @ vectors.T
    np.fill_diagonal(likeness, 0)
    return np.round(likeness, _DIGITS)


def _vectors(terms: Sequence[Counter[str]]) -> Floats:
    """Make unit vectors; a term of one sentence alone adds to its length only."""
    frequency = Counter(term for counter in terms for term in counter)
    shared = [term for term, count in frequency.items() if count > 1]
    column = {term: at for at, term in enumerate(shared)}
    vectors = np.zeros((len(terms), len(shared)), np.float32)
    for row, counter in enumerate(terms):
        weights = _weights(counter, frequency, total=len(terms))
        length = math.hypot(*weights.values())
        for term, weight in weights.items():
            if term in column:
                vectors[row, column[term]] = weight / length
    return vectors


def _weights(
    counter: Counter[str], frequency: Counter[str], *, total: int
) -> dict[str, float]:
    """Weigh terms; by the root of rarity, or the topic itself would pass for common."""
    return {
        term: (1 + math.log(count))
        * math.sqrt(math.log(1 + total / frequency[term]))
        * (_LONE_WEIGHT if frequency[term] == 1 else 1)
        for term, count in counter.items()
    }


def _walk(likeness: Floats) -> Floats:
    """Walk the graph at random; return how often each node is visited, from 0 to 1.

    A step leads anywhere by as much as a node has fewer ties than the others: two
    sentences that resemble but each other would else pass the rank between them.
    """
    count = len(likeness)
    degree = likeness.sum(axis=1, keepdims=True)
    steps = likeness / (degree + degree.mean() + _TINY)
    astray = 1 - steps.sum(axis=1)
    rank: Floats = np.full(count, 1 / count, np.float32)
    for _ in range(_WALK_STEPS):
        followed = steps.T @ rank + (astray @ rank) / count
        rank = (1 - _DAMPING) / count + _DAMPING * followed
    return _spread(rank)


def _spread(rank: Floats) -> Floats:
    """Stretch to the range from 0 to 1; all are 1 where none stands out."""
    span = rank.max() - rank.min()
    if span < _TINY:
        return np.ones_like(rank)
    return np.asarray((rank - rank.min()) / span, np.float32)
