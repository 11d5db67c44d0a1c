"""Which sentences make the summary: the best that fit, none saying it again.

Maximal marginal relevance: each pick weighs its rank against its likeness to what
was picked before. The budget counts words and tokens, both as the caller gave them.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from jobs.summarizing.tokens import count_tokens
from realtime.engine.extractive.lengths import length_in_words
from realtime.engine.extractive.ranking import Floats, Ranking
from realtime.engine.extractive.sentences import Sentence

_REPETITION_COST = 0.6
_SAME = 0.75  # alike to this degree, two sentences say the same
_ENOUGH = 0.85  # of the words asked for; the rest would be filled with what is short
_WORTH_SAYING = 0.3  # of the best score


@dataclass(frozen=True, slots=True)
class Budget:
    max_words: float
    max_tokens: int


def select_sentences(
    sentences: Sequence[Sentence], ranking: Ranking, *, budget: Budget
) -> tuple[int, ...]:
    """Return the chosen sentences in the order of the text; none if none fits."""
    chosen = _choose(
        [sentences[index].text for index in ranking.indices], ranking, budget
    )
    return tuple(ranking.indices[place] for place in sorted(chosen))


def _choose(texts: Sequence[str], ranking: Ranking, budget: Budget) -> list[int]:
    words = np.array([length_in_words(text) for text in texts])
    tokens = np.array([count_tokens(text) + 1 for text in texts])  # 1 to join it
    likest = np.zeros(len(texts), np.float32)  # to any sentence that was chosen
    chosen: list[int] = []
    words_left, tokens_left = budget.max_words, budget.max_tokens
    while words_left > (1 - _ENOUGH) * budget.max_words:
        fits = (words <= words_left) & (tokens <= tokens_left)
        best = _best(ranking.scores, likest, fits)
        if best is None:
            break
        chosen.append(best)
        words_left -= words[best]
        tokens_left -= tokens[best]
        likest = np.maximum(likest, ranking.likeness[best])
        likest[best] = 1
    return chosen


def _best(scores: Floats, likest: Floats, fits: np.ndarray) -> int | None:
    eligible = fits & (likest < _SAME) & (scores >= _WORTH_SAYING * scores.max())
    if not eligible.any():
        return None
    gains = np.where(eligible, scores - _REPETITION_COST * likest, -np.inf)
    return int(np.argmax(gains))
