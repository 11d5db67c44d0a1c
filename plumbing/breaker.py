"""A circuit breaker: stop asking a part that keeps failing, and try it gently later.

It decides from times and outcomes alone and opens no connection. Whoever asks
`allow()` and gets True tells the outcome with `record`; a caller who never does
(cancelled, say) blocks the trial call for one cool-down only.
"""

import time
from collections import deque
from collections.abc import Callable
from datetime import timedelta
from typing import Literal

State = Literal["closed", "open", "half_open"]


class Breaker:
    """Opens after so many failures in a row; after a cool-down lets one call try.

    A success in between starts the count anew: of a part that serves thousands a few
    slow answers in ten seconds are no sign of death.

    closed ──failures in window──> open ──cooldown──> half_open ──ok──> closed
                                    ^──────────────not ok──┘
    """

    def __init__(
        self,
        *,
        failures: int = 5,
        window: timedelta = timedelta(seconds=10),
        cooldown: timedelta = timedelta(seconds=5),
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._window = window.total_seconds()
        self._cooldown = cooldown.total_seconds()
        self._clock = clock
        self._failed_at: deque[float] = deque(maxlen=failures)
        self._opened_at: float | None = None
        self._trial_at: float | None = None

    @property
    def state(self) -> State:
        if self._opened_at is None:
            return "closed"
        if self._clock() - self._opened_at < self._cooldown:
            return "open"
        return "half_open"

    def allow(self) -> bool:
        """Ask whether a call may go out now; in half_open this takes the one turn."""
        state = self.state
        if state != "half_open":
            return state == "closed"
        now = self._clock()
        if self._trial_at is not None and now - self._trial_at < self._cooldown:
            return False
        self._trial_at = now
        return True

    def record(self, *, ok: bool) -> None:
        """Tell how a call ended.

        While open nothing counts: the call began before and knows nothing new.
        """
        state = self.state
        if state == "open":
            return
        if ok:
            self._close()
        elif state == "half_open":
            self.trip()
        else:
            self._count_failure()

    def trip(self) -> None:
        """Open at once, whatever was counted."""
        self._opened_at = self._clock()
        self._trial_at = None
        self._failed_at.clear()

    def _close(self) -> None:
        self._opened_at = None
        self._trial_at = None
        self._failed_at.clear()

    def _count_failure(self) -> None:
        now = self._clock()
        self._failed_at.append(now)
        is_full = len(self._failed_at) == self._failed_at.maxlen
        if is_full and now - self._failed_at[0] <= self._window:
            self.trip()
