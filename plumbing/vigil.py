"""Whether a server that is slow still lives: ends the uses of one that says nothing.

A statement may be slow for good reasons; a frozen server is told by its silence. So
when a use lasts, the server is asked something trivial on a connection of its own. Any
answer, an error too, means that it lives and the use may go on. No answer means that it
is away: all uses end at once, and new ones are refused until it answers again. Knows
neither SQL nor sockets: how a use is ended is told by who begins it.
"""

import asyncio
import time
from collections.abc import Awaitable, Callable
from contextlib import suppress
from datetime import timedelta
from typing import Final

import structlog

log = structlog.get_logger()

_LOOK_SECONDS: Final = 0.2
_PATIENCE_SECONDS: Final = 0.4
"""A use that lasts longer makes the vigil ask."""
_SLICE_SECONDS: Final = 0.05
_SLICES: Final = 15
"""The question's time, in slices: a loop that stood still itself loses only one."""
_PAUSE_SECONDS: Final = 0.25

SILENCE_NOTICED: Final = timedelta(
    seconds=_PATIENCE_SECONDS + _LOOK_SECONDS + _SLICES * _SLICE_SECONDS
)
"""How long a use of a server that stands still lasts at the most."""


class Away(Exception):
    """The server said nothing when it was last asked."""


class Use:
    """One use of the server, and how to end it before its time."""

    __slots__ = ("began", "end")

    def __init__(self) -> None:
        self.began = time.monotonic()
        self.end: Callable[[], object] = _nothing


def _nothing() -> None:
    pass


Ask = Callable[[Use], Awaitable[None]]


class Vigil:
    """Watches the uses of one server; costs nothing while none lasts."""

    def __init__(self, *, longest: timedelta, ask: Ask | None = None) -> None:
        """Without `ask` nothing is asked: a use ends after `longest`, no sooner."""
        self._longest = longest.total_seconds()
        self._ask = ask
        self._uses: dict[int, Use] = {}
        self._timer: asyncio.TimerHandle | None = None
        self._asking: asyncio.Task[None] | None = None
        self.is_away = False

    def begin(self) -> Use:
        """Register a use; raises `Away` where it could only wait."""
        if self.is_away:
            raise Away
        use = Use()
        self._uses[id(use)] = use
        if self._timer is None:
            self._wind_up()
        return use

    def done(self, use: Use) -> None:
        self._uses.pop(id(use), None)

    async def close(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
        if self._asking is not None:
            self._asking.cancel()
            with suppress(asyncio.CancelledError):
                await self._asking

    def _wind_up(self) -> None:
        loop = asyncio.get_running_loop()
        self._timer = loop.call_later(_LOOK_SECONDS, self._look)

    def _look(self) -> None:
        self._timer = None
        now = time.monotonic()
        oldest = next(iter(self._uses.values()), None)
        if oldest is None:
            return
        if now - oldest.began > self._longest:
            self._end_older_than(now - self._longest)
        is_quiet = self._ask is not None and now - oldest.began > _PATIENCE_SECONDS
        if is_quiet and (self._asking is None or self._asking.done()):
            self._asking = asyncio.create_task(self._ask_until_answered())
        self._wind_up()

    def _end_older_than(self, moment: float) -> None:
        for use in list(self._uses.values()):
            if use.began > moment:
                return
            self.done(use)
            use.end()

    async def _ask_until_answered(self) -> None:
        while not await self._is_answered():
            if not self.is_away:
                log.warning("database.silent", uses=len(self._uses))
            self.is_away = True
            self._end_older_than(time.monotonic())
            await asyncio.sleep(_PAUSE_SECONDS)
        if self.is_away:
            log.info("database.answers")
        self.is_away = False

    async def _is_answered(self) -> bool:
        assert self._ask is not None  # noqa: S101  nobody comes here without
        use = Use()
        asking = asyncio.ensure_future(self._ask(use))
        try:
            for _ in range(_SLICES):
                await asyncio.wait({asking}, timeout=_SLICE_SECONDS)
                if asking.done():
                    return True
            return False
        finally:
            if not asking.done():
                use.end()
                await asyncio.wait({asking})
            if not asking.cancelled():
                asking.exception()  # whatever it was, it is told by the next use
