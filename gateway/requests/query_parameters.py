"""Query parameters, read strictly: an unknown or repeated one is refused, never ignored.

What a value means is checked by the list or page that takes it, with the readers
below for what several of them share.
"""

import re
from collections.abc import Collection, Iterable
from datetime import datetime
from typing import Final

from gateway.problems.answers import Fault, RequestRefused
from gateway.requests.times import parse_time

DEFAULT_LIMIT: Final = 20
MAX_LIMIT: Final = 100
_SMALL_NUMBER: Final = re.compile(r"[0-9]{1,3}")
_SHOWN_NAME: Final = 64


def read_parameters(
    parameters: Iterable[tuple[str, str]], known: Collection[str] = ()
) -> dict[str, str]:
    """The parameters by name, each given once and none but the known ones."""
    values: dict[str, str] = {}
    for name, value in parameters:
        if name not in known:
            raise refuse_parameter("unknown_parameter", name)
        if name in values:
            raise refuse_parameter("invalid_parameter", name)
        values[name] = value
    return values


def refuse_parameter(code: str, name: str) -> RequestRefused:
    """The refusal for a query parameter, to be raised by the caller."""
    # A name of the caller's own making is cut: answers echo no long input.
    return RequestRefused(code, faults=[Fault(f"?{name[:_SHOWN_NAME]}", code)])


def read_number(name: str, value: str, *, at_least: int, at_most: int) -> int:
    if _SMALL_NUMBER.fullmatch(value) and at_least <= int(value) <= at_most:
        return int(value)
    raise refuse_parameter("invalid_parameter", name)


def read_limit(values: dict[str, str]) -> int:
    """How many entries a page of a list has."""
    shown = values.get("limit", str(DEFAULT_LIMIT))
    return read_number("limit", shown, at_least=1, at_most=MAX_LIMIT)


def read_moment(name: str, value: str) -> datetime:
    moment = parse_time(value)
    if moment is None:
        raise refuse_parameter("invalid_parameter", name)
    return moment
