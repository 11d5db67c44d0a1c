"""What of a text goes into a prompt, and whether it is a text at all.

A document may carry what no reader sees (bidi overrides, tag characters, terminal
escapes) and what a tokenizer takes for an order (`<|im_start|>`, `[INST]`). Both are
kept out of the prompt only: the stored text stays as sent, so its offsets hold.
Whether to refuse a text is the gateway's matter; that the model may still believe a
sentence it reads is what `checks` is for.
"""

import re
from dataclasses import dataclass
from enum import StrEnum

# Each class is the inside of a regular expression's brackets.
_BIDI = "\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069"
_TAGS_AND_SELECTORS = "\ufe00-\ufe0f\U000e0000-\U000e01ef"
_ZERO_WIDTH = "\u00ad\u034f\u180b-\u180f\u200b\u2060-\u2065\u206a-\u206f\ufeff"
_FILLERS = "\u115f\u1160\u17b4\u17b5\u2800\u3164\uffa0\ufff0-\ufffb"
_JOINERS = "\u200c\u200d"
_CONTROLS = "\x00-\x08\x0e-\x1f\x7f-\x84\x86-\x9f"

_UNSEEN = f"{_BIDI}{_TAGS_AND_SELECTORS}{_ZERO_WIDTH}{_FILLERS}"
# Persian and the scripts of India spell with joiners; elsewhere they only hide things.
_JOINED = "\u0600-\u109f"
# Each pattern begins with one class, which is what makes a search for nothing quick.
_HIDDEN = re.compile(
    f"[{_UNSEEN}{_JOINERS}](?:(?<=[{_UNSEEN}])|(?<![{_JOINED}].)|(?![{_JOINED}]))",
    re.DOTALL,
)
_VISIBLE = re.compile(f"[^\\s{_UNSEEN}{_JOINERS}{_CONTROLS}]")

# Cursor and colour sequences, then titles and links with their payload, then the rest.
# A payload ends at its line: an unclosed one must not swallow the text.
_ESCAPES = re.compile(
    r"(?:\x1b\[|\x9b)[0-?]*+[ -/]*+[@-~]"
    r"|(?:\x1b[\]PX^_]|[\x90\x98\x9d-\x9f])[^\x07\x1b\x9c\n]*+(?:\x07|\x1b\\|\x9c)"
    r"|\x1b[ -/]*+[0-~]?"
)
_CONTROL = re.compile(f"[{_CONTROLS}]")
_LINE_ENDS = "\r\x0b\x0c\x85\u2028\u2029"
_LINE_END = re.compile(f"[{_LINE_ENDS}](?:(?<=\r)\n)?")
_SURROGATE = re.compile("[\ud800-\udfff]")

# No tokenizer parses these once the bracket stands apart; a reader loses nothing.
_NAMES_IN_ANGLES = (
    r"s|bos|eos|pad|unk|sep|cls|mask|think|image|video|audio|sys|im_\w{1,20}"
    r"|(?:start|end|begin)_of_\w{1,20}|tool_\w{1,20}|fim_\w{1,20}|unused\d{1,5}"
)
_NAMES_IN_SQUARES = (
    r"INST|SYSTEM_PROMPT|AVAILABLE_TOOLS|TOOL_\w{1,20}|IMG\w{0,10}|THINK"
    r"|PREFIX|MIDDLE|SUFFIX"
)
_CHAT_MARKUP = re.compile(
    rf"[<\[](?i:(?<=<)(?=[|\uff5c]|</?sys>>|/?(?:{_NAMES_IN_ANGLES})>)"
    rf"|(?<=\[)(?=/?(?:{_NAMES_IN_SQUARES})\]))"
)
# Our own fence must not look closed to the model either, so the bracket is replaced.
_FENCE = re.compile(r"<(?=(?i:\s{0,9}/?\s{0,9}document\b))")

_SUSPECT = re.compile(f"[{_UNSEEN}{_JOINERS}{_CONTROLS}{_LINE_ENDS}\ud800-\udfff<\\[]")
_SUSPECT_BYTES = "".join(filter(_SUSPECT.match, map(chr, range(0x80)))).encode()

_MAGIC = ("%PDF-", "%!PS", "PK\x03\x04", "\x89PNG", "GIF87a", "GIF89a", "\x7fELF")
_FEWEST_ODD = 8  # a short text with a few broken letters is still a text
_MOST_ODD = 0.05
_ODD = re.compile("[\x01-\x08\x0e-\x1a\x1c-\x1f\x7f-\x84\x86-\x9f\ufffd]")


class Note(StrEnum):
    """What was done to a text on its way into a prompt; a job's warning code."""

    HIDDEN = "hidden_characters_left_out"
    CONTROLS = "control_characters_left_out"
    MARKUP = "chat_markup_defused"


@dataclass(frozen=True, kw_only=True)
class Prepared:
    text: str
    notes: frozenset[Note]


def prepare(text: str) -> Prepared:
    """Clean a text for a prompt; cleaning what is clean changes nothing.

    Hidden characters go before the markup is looked for: they may split it.
    """
    if not _is_suspect(text):
        return Prepared(text=text, notes=frozenset())
    lines = _LINE_END.sub("\n", _SURROGATE.sub("\ufffd", text))
    readable = _without_controls(lines)
    shown = _HIDDEN.sub("", readable)
    defused = _FENCE.sub("[", _CHAT_MARKUP.sub(_set_apart, shown))
    steps = (
        (Note.CONTROLS, lines, readable),
        (Note.HIDDEN, readable, shown),
        (Note.MARKUP, shown, defused),
    )
    notes = frozenset(note for note, before, after in steps if before != after)
    return Prepared(text=defused, notes=notes)


def _is_suspect(text: str) -> bool:
    if text.isascii():  # counted, not searched: several times as fast
        return len(text.encode().translate(None, _SUSPECT_BYTES)) != len(text)
    return _SUSPECT.search(text) is not None


def _without_controls(text: str) -> str:
    if _CONTROL.search(text) is None:
        return text
    return _CONTROL.sub("", _ESCAPES.sub("", text))


def visible(text: str) -> bool:
    """Tell whether a reader would see anything at all."""
    return _VISIBLE.search(text) is not None


def looks_binary(text: str) -> bool:
    """Tell a file read as text from a text: by its first bytes, NUL or odd bytes."""
    if "\0" in text or text.lstrip("\ufeff \t\r\n").startswith(_MAGIC):
        return True
    odd = sum(1 for _ in _ODD.finditer(text))
    return odd >= _FEWEST_ODD and odd > _MOST_ODD * len(text)


def _set_apart(bracket: re.Match[str]) -> str:
    return f"{bracket[0]} "
