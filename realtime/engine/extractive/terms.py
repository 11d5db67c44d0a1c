"""The terms by which two sentences are found alike.

Words where words are spaced, pairs of characters where they are not. Words that
carry no topic are left out; stemming goes no further than the English plural.
"""

import re
from collections import Counter

from realtime.engine.extractive.scripts import UNSPACED

_RUN = re.compile(rf"([{UNSPACED}]+)|([^\W_{UNSPACED}]+)")

# Characters of Chinese grammar: pairs that hold one say nothing of the topic.
_CHINESE_GRAMMAR = frozenset(
    "的了是在和与及或也都就而且但并把被对为从以于之其这那个们我你他她它有不将"
)

_ENGLISH_GRAMMAR = frozenset(
    """
    a about above after again against all also although am among an and any are as at
    be because been before being below between both but by can could did do does doing
    during each either else ever every few for from further had has have having he her
    here hers him his how however i if in into is it its itself just may me might more
    most much must my neither no nor not now of off on once one only or other our out
    over own per quite rather said same say says she should since so some still such
    than that the their them then there these they this those through thus to too under
    until up upon us very was we were what when where whether which while who whom whose
    why will with within without would yet you your
    """.split()  # noqa: SIM905 - a list of 150 literals is harder to read
)

_SHORTEST_PLURAL = 4


def count_terms(sentence: str) -> Counter[str]:
    terms: Counter[str] = Counter()
    for unspaced, word in _RUN.findall(sentence.lower()):
        terms.update(_pairs(unspaced) if unspaced else _topic_words(word))
    return terms


def _pairs(run: str) -> list[str]:
    pairs = (run[at : at + 2] for at in range(len(run) - 1))
    return [pair for pair in pairs if _CHINESE_GRAMMAR.isdisjoint(pair)]


def _topic_words(word: str) -> tuple[str, ...]:
    if word in _ENGLISH_GRAMMAR or (len(word) == 1 and not word.isdigit()):
        return ()
    is_plural = (
        len(word) >= _SHORTEST_PLURAL and word[-1] == "s" and word[-2] not in "su"
    )
    return (word[:-1] if is_plural else word,)
