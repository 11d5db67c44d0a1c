"""How long to wait before something is tried again.

Three answers: a random wait that grows with the attempts, a wait scattered around a
schedule's step, and what the other side asked for. How often to try, and whether at
all, is the callers' business.
"""

import random
from datetime import datetime, timedelta
from email.utils import parsedate_to_datetime
from typing import Final

_MAX_DOUBLINGS: Final = 30  # timedelta overflows long before patience does

# Waits are no secret: their randomness only keeps callers apart.
_random: Final = random.Random()  # noqa: S311


def full_jitter(attempt: int, *, base: timedelta, ceiling: timedelta) -> timedelta:
    """Pick a random wait between nothing and `base` doubled `attempt` times.

    Never more than `ceiling`. The whole range is random, not a margin around a mean,
    so that callers who failed together do not come back together.
    """
    longest = min(ceiling, base * (1 << min(attempt, _MAX_DOUBLINGS)))
    return _random.random() * longest


def around(delay: timedelta, *, spread: float) -> timedelta:
    """Scatter a wait: with a spread of 0.2, by up to a fifth to either side."""
    return delay * (1 + spread * _random.uniform(-1, 1))


def parse_retry_after(value: str, *, now: datetime) -> timedelta | None:
    """Read a Retry-After header, seconds or date; None where it makes no sense.

    A date that has passed is no wait at all.
    """
    stripped = value.strip()
    if stripped.isascii() and stripped.isdigit():
        # Nine digits are thirty years: more would only overflow.
        return timedelta(seconds=int(stripped[:9]))
    try:
        return max(timedelta(0), parsedate_to_datetime(stripped) - now)
    except (TypeError, ValueError):  # a date without a zone cannot be subtracted
        return None
