from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from plumbing.backoff import around, full_jitter, parse_retry_after

SECOND = timedelta(seconds=1)
NOW = datetime(2026, 11, 21, 10, 0, tzinfo=UTC)


@given(attempt=st.integers(min_value=0, max_value=10_000))
def test_a_jittered_wait_stays_in_its_bounds(attempt: int) -> None:
    wait = full_jitter(attempt, base=SECOND, ceiling=30 * SECOND)
    assert timedelta(0) <= wait <= min(30 * SECOND, SECOND * 2 ** min(attempt, 5))


def test_jitter_uses_the_whole_range() -> None:
    waits = [full_jitter(2, base=SECOND, ceiling=60 * SECOND) for _ in range(400)]
    assert min(waits) < SECOND / 2
    assert max(waits) > 3.5 * SECOND
    assert max(waits) <= 4 * SECOND


def test_a_scattered_wait_lies_on_both_sides() -> None:
    waits = [around(10 * SECOND, spread=0.2) for _ in range(400)]
    assert 8 * SECOND <= min(waits) < 9 * SECOND
    assert 11 * SECOND < max(waits) <= 12 * SECOND


@pytest.mark.parametrize(
    ("value", "wait"),
    [
        ("0", timedelta(0)),
        (" 120 ", 120 * SECOND),
        ("Sat, 21 Nov 2026 10:00:30 GMT", 30 * SECOND),
        ("Sat, 21 Nov 2026 09:00:00 GMT", timedelta(0)),
        ("99999999999999999999", timedelta(seconds=999_999_999)),
        ("soon", None),
        ("", None),
        ("-5", None),
        ("1.5", None),
        ("٣", None),
        ("Sat, 99 Nov 2026 10:00:30 GMT", None),
    ],
)
def test_retry_after_is_seconds_or_a_date(value: str, wait: timedelta | None) -> None:
    assert parse_retry_after(value, now=NOW) == wait
