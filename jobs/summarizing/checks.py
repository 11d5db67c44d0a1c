"""What stands between a model's answer and `succeeded`.

An answer that is empty, cut, an echo, a loop, noise or in another script is no
summary, whatever status the engine gave. Each check compares with the source, since a
text may itself be short, repetitive or made of signs, and then so may its summary.
Whether to ask again or to fail the job is decided by the caller.
"""

import re
import string
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from enum import StrEnum
from itertools import islice
from typing import Self

from jobs.summarizing.cleaning import visible
from jobs.summarizing.language import script_shares
from jobs.summarizing.lengths import count_words
from jobs.summarizing.prompts import CANARY, CLOSING, OPENING
from jobs.summarizing.structure import sentences
from jobs.summarizing.tokens import count_tokens


class Defect(StrEnum):
    """Why an answer is unusable: a stable code, and what it means and asks for."""

    sentence: str

    def __new__(cls, code: str, sentence: str) -> Self:
        member = str.__new__(cls, code)
        member._value_ = code
        member.sentence = sentence
        return member

    EMPTY = "empty", "The model wrote nothing that can be seen; ask again."
    CUT = "cut", "The answer ended at its token limit; ask again or raise the limit."
    LEAK = "prompt_leaked", "The answer repeats our instructions; ask again."
    GARBAGE = "garbage", "The answer is noise; check the number format of the model."
    LOOPING = "looping", "The answer repeats itself; ask again or check the model."
    ECHO = "echo", "The answer is the text itself and not a summary; ask again."
    SCRIPT = "wrong_script", "The answer is in another script than the text; ask again."


class OutputUnusable(Exception):
    """An answer that must not become a summary. Never carries the answer itself."""

    def __init__(self, defect: Defect) -> None:
        super().__init__(defect.sentence)
        self.code = defect


@dataclass(frozen=True, kw_only=True)
class _Answer:
    output: str
    source: str
    finish_reason: str | None
    max_tokens: int
    words: int


_LONGEST_RUN = 21
_RUN = re.compile(rf"(\S)\1{{{_LONGEST_RUN - 1}}}")
_FEWEST_GRAMS = 40  # fewer repeat by chance
_LEAST_DISTINCT = 0.3
_MOST_REPLACEMENTS = 0.01
_LETTERS = (string.ascii_letters + string.digits).encode()
_LEAST_LETTERS = 0.3
_FEWEST_CHARACTERS = 12
_MAIN_SCRIPT = 0.7
_TRACE_OF_SCRIPT = 0.1
_FEWEST_LETTERS = 12
_UNITS = re.compile("[\u3040-\u30ff\u3400-\u9fff\uac00-\ud7af]|\\w+|[^\\w\\s]")
_HEAD = 200  # code points that an echo and its text have in common
_BEGINNING = 8_000  # code points of a text looked at: enough to know its nature


def check_output(
    output: str, *, source: str, finish_reason: str | None, max_tokens: int, words: int
) -> None:
    """Raise OutputUnusable with the first defect found; `words` is what was asked."""
    answer = _Answer(
        output=output,
        source=source,
        finish_reason=finish_reason,
        max_tokens=max_tokens,
        words=words,
    )
    for defect, is_defective in _CHECKS:
        if is_defective(answer):
            raise OutputUnusable(defect)


def _is_empty(answer: _Answer) -> bool:
    return not visible(answer.output)


def _is_cut(answer: _Answer) -> bool:
    if answer.finish_reason is None:  # some servers do not say
        return count_tokens(answer.output) >= answer.max_tokens
    return answer.finish_reason == "length"


def _leaks_prompt(answer: _Answer) -> bool:
    written = answer.output.lower()
    telling = (CANARY, OPENING, CLOSING)
    # A text that quotes them is no leak: its summary may quote them too.
    return any(it in written and it not in answer.source.lower() for it in telling)


def _is_garbage(answer: _Answer) -> bool:
    replaced = _share_of_replacements(answer.output)
    if replaced > max(_MOST_REPLACEMENTS, 2 * _share_of_replacements(answer.source)):
        return True
    return (
        len(answer.output) >= _FEWEST_CHARACTERS
        and _share_of_letters(answer.output) < _LEAST_LETTERS
        and _share_of_letters(answer.source) > 2 * _share_of_letters(answer.output)
    )


def _share_of_replacements(text: str) -> float:
    return text.count("\ufffd") / max(1, len(text))


def _share_of_letters(text: str) -> float:
    seen = sum(map(len, text.split()))
    if text.isascii():  # deleted and counted: ten times as fast
        letters = len(text) - len(text.encode().translate(None, _LETTERS))
    else:
        letters = sum(map(str.isalnum, text))
    return letters / max(1, seen)


def _is_looping(answer: _Answer) -> bool:
    if _repeats_a_character(answer):
        return True
    distinct = _distinctness(answer.output)
    return distinct < _LEAST_DISTINCT and 2 * distinct < _distinctness(answer.source)


def _repeats_a_character(answer: _Answer) -> bool:
    longest = max(map(len, answer.output.split()), default=0)
    if longest < _LONGEST_RUN:  # nearly always, and a search costs far more
        return False
    run = _RUN.search(answer.output)
    return run is not None and run[0] not in answer.source


def _distinctness(text: str) -> float:
    """Tell which share of the runs of four words is not a repetition."""
    units = _UNITS.findall(text[:_BEGINNING].casefold())
    count = len(units) - 3
    if count < _FEWEST_GRAMS:
        return 1.0
    return len(set(zip(units, units[1:], units[2:], units[3:], strict=False))) / count


def _is_echo(answer: _Answer) -> bool:
    """Tell whether the text came back, or more of its beginning than was asked for.

    A text within the length asked for, or of two sentences, may well be its own
    summary; so may the beginning of one that has no sentences.
    """
    output = _plain(answer.output)
    told, head = output.rstrip(".…"), _plain(answer.source[:_HEAD])
    if not (told.startswith(head) or head.startswith(told)):
        return False  # nearly always: the rest need not be looked at
    source = _plain(answer.source)
    if not source.startswith(told):
        return False
    if count_words(source) <= answer.words or _is_two_sentences(answer.source.strip()):
        return False
    return output == source or count_words(output) > 1.5 * answer.words


def _is_two_sentences(text: str) -> bool:
    return len(list(islice(_sentences(text), 3))) <= 2  # noqa: PLR2004  # two is two


def _sentences(text: str) -> Iterator[tuple[int, int]]:
    return sentences(text, 0, len(text))


def _plain(text: str) -> str:
    return " ".join(text.casefold().split())


def _is_in_wrong_script(answer: _Answer) -> bool:
    if answer.source.isascii() and answer.output.isascii():
        return False
    shares = script_shares(answer.source)
    main = max(shares, key=lambda script: shares[script], default=None)
    letters = sum(map(str.isalpha, answer.output))
    if main is None or shares[main] < _MAIN_SCRIPT or letters < _FEWEST_LETTERS:
        return False
    return script_shares(answer.output).get(main, 0.0) < _TRACE_OF_SCRIPT


_CHECKS: tuple[tuple[Defect, Callable[[_Answer], bool]], ...] = (
    (Defect.EMPTY, _is_empty),
    (Defect.CUT, _is_cut),
    (Defect.LEAK, _leaks_prompt),
    (Defect.GARBAGE, _is_garbage),
    (Defect.LOOPING, _is_looping),
    (Defect.ECHO, _is_echo),
    (Defect.SCRIPT, _is_in_wrong_script),
)
