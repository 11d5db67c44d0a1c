"""The one way in which our loops go round: work, rest, and outlive outages.

A round tells whether it found work; after an idle round the loop rests. When one
of the named outages strikes, the loop waits with growing pauses and goes on; an
error nobody expected is logged with its trace and treated the same, since the
next round starts from what the database says. A round that went well ends the growth.
"""

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import AbstractAsyncContextManager
from datetime import timedelta
from typing import Final, TypeVar

import structlog

from plumbing.backoff import full_jitter
from plumbing.process import sleep_or_stop

log = structlog.get_logger()

_FIRST_PAUSE: Final = timedelta(milliseconds=200)
_LONGEST_PAUSE: Final = timedelta(seconds=5)

Outages = tuple[type[Exception], ...]
Held = TypeVar("Held")


async def repeat(
    run_once: Callable[[], Awaitable[bool]],
    *,
    name: str,
    rest: timedelta,
    stop: asyncio.Event,
    outages: Outages,
) -> None:
    """Call `run_once` until asked to stop; True from it means: at once again."""
    trouble = _Trouble(name, outages)
    while not stop.is_set():
        try:
            busy = await run_once()
        except Exception as error:  # noqa: BLE001  logged where it is sat out
            await trouble.sit_out(error, stop)
            continue
        trouble.is_over()
        if not busy:
            await sleep_or_stop(stop, rest)


async def repeat_while_locked(
    run_once: Callable[[Held], Awaitable[bool]],
    *,
    lock: Callable[[], AbstractAsyncContextManager[Held | None]],
    standby: timedelta,
    name: str,
    rest: timedelta,
    stop: asyncio.Event,
    outages: Outages,
) -> None:
    """The same under a lock that is kept from round to round, until one fails.

    Who does not get it asks again after `standby`. A round is given what the lock
    gives, and works with it alone: who has lost the lock cannot go on.
    """
    trouble = _Trouble(name, outages)
    while not stop.is_set():
        try:
            async with lock() as held:
                if held is None:
                    await sleep_or_stop(stop, standby)
                while held is not None and not stop.is_set():
                    busy = await run_once(held)
                    trouble.is_over()
                    if not busy:
                        await sleep_or_stop(stop, rest)
        except Exception as error:  # noqa: BLE001  logged where it is sat out
            await trouble.sit_out(error, stop)


class _Trouble:
    """The failures in a row of one loop, and the pause after each."""

    def __init__(self, name: str, outages: Outages) -> None:
        self._name = name
        self._outages = outages
        self._failures = 0

    def is_over(self) -> None:
        self._failures = 0

    async def sit_out(self, error: Exception, stop: asyncio.Event) -> None:
        self._failures += 1
        if isinstance(error, self._outages):
            log.warning("loop.outage", loop=self._name, error=type(error).__name__)
        else:
            log.error("loop.failed", loop=self._name, exc_info=error)
        pause = full_jitter(self._failures, base=_FIRST_PAUSE, ceiling=_LONGEST_PAUSE)
        await sleep_or_stop(stop, pause)
