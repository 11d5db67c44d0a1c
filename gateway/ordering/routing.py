"""Which tier takes a text: a pure function of what is known at the door.

The reason is stored with the job, returned, counted and logged; its words are part of
the interface and do not change.
"""

from dataclasses import dataclass
from datetime import timedelta
from typing import Final, Literal

from jobs.lifecycle import Tier
from plumbing.pool_state import PoolState

AskedTier = Literal["auto", "realtime", "batch"]

# A full pool is worth waiting for when batch would hardly be in time.
_TOO_SOON_FOR_BATCH: Final = timedelta(seconds=60)


@dataclass(frozen=True, slots=True)
class Route:
    tier: Tier
    reason: str


@dataclass(frozen=True, slots=True)
class NoRoute:
    """The tier that was asked for cannot take the text; `code` is a problem's."""

    code: str


def choose_tier(
    tokens: int,
    *,
    asked: AskedTier,
    threshold: int,
    pool: PoolState | None,
    time_left: timedelta,
    prefer_async: bool,
    is_paused: bool,
) -> Route | NoRoute:
    """Short texts to a pool that has room, all others to batch.

    No pool at all and one without a healthy engine are the same to a caller. Paused is
    the tier, its pool, or the tenant, by an operator.
    """
    if prefer_async or asked == "batch":
        return Route(Tier.BATCH, "respond_async" if prefer_async else "asked")
    if tokens > threshold:
        return _unless_asked(asked, "long_text", "text_too_long_for_realtime")
    if is_paused:
        return _unless_asked(asked, "paused", "realtime_paused")
    if pool is None or pool.is_down:
        return _unless_asked(asked, "pool_down", "realtime_unavailable")
    reason = "asked" if asked == "realtime" else "short_text"
    if pool.is_saturated:
        reason = "deadline_short"
        if asked == "realtime" or time_left > _TOO_SOON_FOR_BATCH:
            return _unless_asked(asked, "pool_saturated", "realtime_unavailable")
    return Route(Tier.REALTIME, reason)


def _unless_asked(asked: AskedTier, reason: str, code: str) -> Route | NoRoute:
    return NoRoute(code) if asked == "realtime" else Route(Tier.BATCH, reason)
