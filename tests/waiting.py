"""Waiting for what must happen: polls with a deadline, never sleeps for luck."""

import asyncio
import time
from collections.abc import Awaitable, Callable


async def until(
    condition: Callable[[], Awaitable[object]], *, seconds: float = 20, what: str = ""
) -> None:
    """Return as soon as the condition holds; fail with `what` when it never does."""
    end = time.monotonic() + seconds
    while not await condition():
        if time.monotonic() > end:
            raise AssertionError(f"not within {seconds} s: {what or condition}")
        await asyncio.sleep(0.05)
