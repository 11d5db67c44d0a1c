"""Moments as people type them: `30m`, `2h`, `7d` ago, or a time as in RFC 3339."""

import re
from datetime import UTC, datetime, timedelta
from typing import Annotated, Final

import typer

_AGO: Final = re.compile(r"([0-9]{1,6})([smhd])", re.ASCII)
_UNITS: Final = {"s": "seconds", "m": "minutes", "h": "hours", "d": "days"}


def parse_moment(typed: str) -> datetime:
    match = _AGO.fullmatch(typed)
    try:
        if match:
            return datetime.now(UTC) - timedelta(**{_UNITS[match[2]]: int(match[1])})
        moment = datetime.fromisoformat(typed)
    except (ValueError, OverflowError):
        raise typer.BadParameter(
            "30m, 2h or 7d is expected, or a time like 2026-11-21T08:00:00Z"
        ) from None
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)


SinceOption = Annotated[
    datetime | None,
    typer.Option(
        parser=parse_moment,
        metavar="WHEN",
        help="30m, 2h, 7d ago, or a time (UTC where it says no zone).",
    ),
]
