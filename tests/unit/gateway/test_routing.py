"""The tier a text takes, for every state of the pool."""

from datetime import timedelta
from typing import Any

import pytest

from gateway.ordering.routing import NoRoute, Route, choose_tier
from jobs.lifecycle import Tier
from plumbing.pool_state import PoolState

CALM = PoolState(healthy=1, engines=1, in_flight=0, capacity=4)
FULL = PoolState(healthy=1, engines=1, in_flight=4, capacity=4)
DOWN = PoolState(healthy=0, engines=1, in_flight=0, capacity=0)
REALTIME, BATCH = Tier.REALTIME, Tier.BATCH


def choose(tokens: int = 10, **changes: Any) -> Route | NoRoute:
    known: dict[str, Any] = {
        "asked": "auto",
        "threshold": 3000,
        "pool": CALM,
        "time_left": timedelta(hours=24),
        "prefer_async": False,
        "is_paused": False,
    }
    return choose_tier(tokens, **(known | changes))


def test_the_border_is_the_threshold_itself() -> None:
    assert choose(2999) == Route(REALTIME, "short_text")
    assert choose(3000) == Route(REALTIME, "short_text")
    assert choose(3001) == Route(BATCH, "long_text")


def test_a_long_text_never_goes_to_realtime() -> None:
    assert choose(3001, asked="realtime") == NoRoute("text_too_long_for_realtime")


@pytest.mark.parametrize("pool", [CALM, FULL, DOWN, None])
@pytest.mark.parametrize("tokens", [10, 3001])
def test_whoever_asks_for_batch_gets_it(tokens: int, pool: PoolState | None) -> None:
    assert choose(tokens, asked="batch", pool=pool) == Route(BATCH, "asked")


@pytest.mark.parametrize("asked", ["auto", "realtime", "batch"])
def test_respond_async_wins_over_any_tier(asked: str) -> None:
    assert choose(asked=asked, prefer_async=True) == Route(BATCH, "respond_async")


@pytest.mark.parametrize(
    ("pool", "reason"),
    [(DOWN, "pool_down"), (None, "pool_down"), (FULL, "pool_saturated")],
)
def test_a_pool_in_trouble_sends_auto_to_batch_and_refuses_realtime(
    pool: PoolState | None, reason: str
) -> None:
    assert choose(pool=pool) == Route(BATCH, reason)
    assert choose(pool=pool, asked="realtime") == NoRoute("realtime_unavailable")


def test_a_full_pool_is_waited_for_when_batch_would_be_too_late() -> None:
    soon = timedelta(seconds=20)
    assert choose(pool=FULL, time_left=soon) == Route(REALTIME, "deadline_short")
    assert choose(pool=DOWN, time_left=soon) == Route(BATCH, "pool_down")
    assert choose(time_left=soon) == Route(REALTIME, "short_text")


def test_the_tier_that_was_asked_for_is_the_reason() -> None:
    assert choose(asked="realtime") == Route(REALTIME, "asked")


@pytest.mark.parametrize("pool", [CALM, FULL, DOWN])
def test_a_paused_tier_sends_auto_to_batch_and_refuses_realtime(
    pool: PoolState,
) -> None:
    assert choose(pool=pool, is_paused=True) == Route(BATCH, "paused")
    refused = choose(pool=pool, is_paused=True, asked="realtime")
    assert refused == NoRoute("realtime_paused")
    assert choose(is_paused=True, asked="batch") == Route(BATCH, "asked")
