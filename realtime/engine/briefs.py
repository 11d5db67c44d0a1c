"""What the messages of a chat ask for: which text, and how long the summary may be.

An extractive engine follows no instructions, so it looks for the two things it can
obey in the prompts that `jobs.summarizing` writes: the text between the document
tags and the phrase "at most N words". A chat without them is still answered: all of
the last user message is the text.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass

from jobs.summarizing.tokens import count_tokens
from realtime.engine.extractive.selection import Budget
from realtime.engine.requests import ChatMessage

_DOCUMENT = re.compile(r"<document>(.*)</document>", re.DOTALL)
_WORD_LIMIT = re.compile(r"at most (\d{1,6}) words", re.IGNORECASE)

_USUAL_WORDS = 120
_TOKENS_PER_WORD = 2


@dataclass(frozen=True, slots=True)
class Brief:
    text: str
    budget: Budget


def read_brief(
    messages: Sequence[ChatMessage], *, max_tokens: int | None, room: int
) -> Brief:
    """Read it; `room` is what the context leaves for an answer."""
    limit = room if max_tokens is None else max_tokens
    words = _asked_words(messages) or _usual_words(max_tokens)
    return Brief(_text(messages), Budget(max_words=words, max_tokens=limit))


def count_prompt_tokens(messages: Sequence[ChatMessage]) -> int:
    """Count what a caller can count as well: the contents, no template around them."""
    return sum(count_tokens(message.text) for message in messages)


def _text(messages: Sequence[ChatMessage]) -> str:
    of_user = [message.text for message in messages if message.role == "user"]
    last = of_user[-1] if of_user else messages[-1].text
    document = _DOCUMENT.search(last)
    return document[1] if document else last


def _asked_words(messages: Sequence[ChatMessage]) -> int | None:
    for message in messages:
        if message.role == "system" and (limit := _WORD_LIMIT.search(message.text)):
            return int(limit[1]) or None
    return None


def _usual_words(max_tokens: int | None) -> float:
    return max(_USUAL_WORDS, (max_tokens or 0) / _TOKENS_PER_WORD)
