"""JSON as callers must send it: UTF-8, each member once, finite numbers, real text.

Python's own reader is laxer than the standard in all of these, and two readers that
disagree about one document are how filters are passed. Bounded in depth and size, so
that no document costs more than its bytes. Which members there may be is not known
here.
"""

import json
import math
from collections.abc import Iterable
from typing import Any, Final

from gateway.problems.answers import RequestRefused, field_refused

_MAX_DEPTH: Final = 16
_MAX_VALUES: Final = 10_000
_MAX_QUOTES: Final = 4 * _MAX_VALUES  # a name and a string of its own for each
_MAX_DIGITS: Final = 18  # a 64-bit number
_BYTE_ORDER_MARK: Final = "\ufeff"


def read_json(raw: bytes) -> Any:
    """The document, or `RequestRefused` with the reason and, if there is one, the place."""
    if not raw.strip():
        raise RequestRefused("empty_body")
    if not _is_affordable(raw):
        raise RequestRefused("json_too_complex")
    try:
        shown = raw.decode("utf-8")
    except UnicodeDecodeError:
        # `from None`: the cause would hold the body.
        raise RequestRefused("invalid_encoding") from None
    if shown.startswith(_BYTE_ORDER_MARK):
        raise RequestRefused("invalid_encoding")
    document = _parse(shown)
    # Only an escape can bring a character into a string that UTF-8 could not.
    _walk(document, may_hold_escapes=b"\\u" in raw)
    return document


def _is_affordable(raw: bytes) -> bool:
    """Bound the values before they are made: three bytes, `[],`, make one of a hundred.

    Never stricter than the walk, which counts exactly: each value but the first has a
    separator before it, and at most one more of its own.
    """
    if _count_separators(raw) <= 2 * _MAX_VALUES:
        return True
    # Without escapes every quote begins or ends a string: structure and content alternate.
    bare = raw.replace(rb"\\", b"").replace(rb"\"", b"")
    pieces = bare.split(b'"', _MAX_QUOTES + 1)
    structure = sum(_count_separators(piece) for piece in pieces[::2])
    return len(pieces) <= _MAX_QUOTES + 1 and structure <= 2 * _MAX_VALUES


def _count_separators(raw: bytes) -> int:
    return raw.count(b",") + raw.count(b"[") + raw.count(b"{")


def _parse(shown: str) -> Any:
    members = _Members()
    try:
        return json.loads(
            shown,
            object_pairs_hook=members.collect,
            parse_constant=_refuse_constant,
            parse_int=_read_integer,
        )
    except RecursionError:
        raise RequestRefused("json_too_complex") from None
    except json.JSONDecodeError:
        raise RequestRefused("malformed_json") from None


class _Members:
    """Builds objects and counts their members over the whole document."""

    def __init__(self) -> None:
        self._count = 0

    def collect(self, pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        self._count += len(pairs)
        if self._count > _MAX_VALUES:
            raise RequestRefused("json_too_complex")
        collected = dict(pairs)
        if len(collected) != len(pairs):
            raise RequestRefused("duplicate_member")
        return collected


def _refuse_constant(_: str) -> Any:
    raise RequestRefused("malformed_json")


def _read_integer(digits: str) -> float:
    # Infinity stands for what is too large: only the walk knows where it is.
    return int(digits) if len(digits) <= _MAX_DIGITS else math.inf


def _walk(document: Any, *, may_hold_escapes: bool) -> None:
    """Bound depth and size, and find what is no value; never recursive."""
    waiting: list[tuple[Any, str, int]] = [(document, "", 0)]
    seen = 0
    while waiting:
        value, pointer, depth = waiting.pop()
        seen += 1
        if depth > _MAX_DEPTH or seen + len(waiting) > _MAX_VALUES:
            raise RequestRefused("json_too_complex")
        if may_hold_escapes:
            _check_characters(value, pointer)
        if isinstance(value, float) and math.isinf(value):
            raise field_refused("number_out_of_range", pointer)
        waiting += [
            (inner, f"{pointer}/{name}", depth + 1) for name, inner in _inside(value)
        ]


def _inside(value: Any) -> Iterable[tuple[str, Any]]:
    if isinstance(value, dict):
        return [(escape(name), member) for name, member in value.items()]
    if isinstance(value, list):
        if len(value) > _MAX_VALUES:
            raise RequestRefused("json_too_complex")
        return [(str(place), item) for place, item in enumerate(value)]
    return ()


def escape(name: str) -> str:
    """A member's name as it stands in a JSON pointer, cut where it grows long."""
    return name[:64].replace("~", "~0").replace("/", "~1")


def _check_characters(value: Any, pointer: str) -> None:
    strings = value if isinstance(value, dict) else [value]
    for string in strings:
        if isinstance(string, str) and ("\0" in string or not _is_utf_8(string)):
            raise field_refused("invalid_character", pointer)


def _is_utf_8(string: str) -> bool:
    try:
        string.encode()
    except UnicodeEncodeError:
        return False
    return True
