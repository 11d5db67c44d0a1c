"""Loops pause longer only for failures that follow one another."""

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import timedelta

import pytest

from plumbing import repeating
from plumbing.repeating import repeat, repeat_while_locked

NOTHING = timedelta(0)
FAILURES = 12


class Away(Exception):
    pass


class Rounds:
    """Every second one fails, until so many have failed."""

    def __init__(self, stop: asyncio.Event) -> None:
        self._stop = stop
        self.worked = self.failed = 0

    async def work(self, _: object = None) -> bool:
        if self.failed == FAILURES:
            self._stop.set()
        elif self.worked > self.failed:
            self.failed += 1
            raise Away
        self.worked += 1
        return True


class Lock:
    """Somebody else has it at first."""

    def __init__(self) -> None:
        self.asked = 0

    @asynccontextmanager
    async def taken(self) -> AsyncIterator[str | None]:
        self.asked += 1
        yield None if self.asked == 1 else "the lock"


@pytest.fixture
def short_pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    """From 4 ms to a second, so that growth shows and the test is short."""
    monkeypatch.setattr(repeating, "_FIRST_PAUSE", timedelta(milliseconds=2))
    monkeypatch.setattr(repeating, "_LONGEST_PAUSE", timedelta(seconds=1))


async def test_a_round_that_went_well_ends_the_growth_of_the_pauses(
    short_pauses: None,
) -> None:
    stop = asyncio.Event()
    rounds, began = Rounds(stop), time.monotonic()
    await repeat(rounds.work, name="it", rest=NOTHING, stop=stop, outages=(Away,))
    assert rounds.failed == FAILURES
    assert time.monotonic() - began < 0.5


async def test_so_it_does_while_a_lock_is_held(short_pauses: None) -> None:
    """Else a loop would take seconds to come back, after a few outages in months."""
    stop, lock = asyncio.Event(), Lock()
    rounds, began = Rounds(stop), time.monotonic()
    await repeat_while_locked(
        rounds.work,
        lock=lock.taken,
        standby=NOTHING,
        name="it",
        rest=NOTHING,
        stop=stop,
        outages=(Away,),
    )
    assert rounds.failed == FAILURES
    assert lock.asked == 1 + FAILURES + 1  # kept from round to round, until one fails
    assert time.monotonic() - began < 0.5
