"""Times as callers write them: RFC 3339 and nothing looser.

Pure. A leap second, a day that does not exist, a time without a zone and a moment
that falls out of the calendar in UTC are no times; what to answer is the caller's part.
"""

import re
from datetime import UTC, datetime
from typing import Final

_SHAPE: Final = re.compile(
    r"[0-9]{4}-[0-9]{2}-[0-9]{2}[Tt](?:[01][0-9]|2[0-3]):[0-9]{2}:[0-9]{2}"
    r"(?:\.[0-9]{1,9})?(?:[Zz]|[+-][0-9]{2}:[0-9]{2})"
)


def parse_time(shown: str) -> datetime | None:
    """The moment in UTC; None for anything that is not exactly one."""
    if _SHAPE.fullmatch(shown) is None:
        return None
    try:
        return datetime.fromisoformat(shown.upper()).astimezone(UTC)
    except (ValueError, OverflowError):
        return None
