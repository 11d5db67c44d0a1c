"""The one way in which our loops go round: work, rest, and outlive outages.

A round tells whether it found work; after an idle round the loop rests. When one
of the named outages strikes, the loop waits with growing pauses and goes on; an
error nobody expected is logged with its trace and treated the same, since the
next round starts from what the database says.
"""

import asyncio
from collections.abc import Awaitable, Callable
from datetime import timedelta
from typing import Final

import structlog

from plumbing.backoff import full_jitter
from plumbing.process import sleep_or_stop

log = structlog.get_logger()

_FIRST_PAUSE: Final = timedelta(milliseconds=200)
_LONGEST_PAUSE: Final = timedelta(seconds=5)


async def repeat(
    run_once: Callable[[], Awaitable[bool]],
    *,
    name: str,
    rest: timedelta,
    stop: asyncio.Event,
    outages: tuple[type[Exception], ...],
) -> None:
    """Call `run_once` until asked to stop; True from it means: at once again."""
    failures = 0
    while not stop.is_set():
        try:
            busy = await run_once()
            failures = 0
        except Exception as error:
            failures += 1
            if isinstance(error, outages):
                log.warning("loop.outage", loop=name, error=type(error).__name__)
            else:
                log.exception("loop.failed", loop=name)
            pause = full_jitter(failures, base=_FIRST_PAUSE, ceiling=_LONGEST_PAUSE)
            await sleep_or_stop(stop, pause)
            continue
        if not busy:
            await sleep_or_stop(stop, rest)
