"""How long a dead process waits for its restart. Pure: time is passed in.

The pause doubles from death to death, so that a process that cannot live does not eat
the machine, and starts over once a process has lived for a while.
"""

from datetime import timedelta

_FIRST = timedelta(seconds=0.5)
LONGEST_PAUSE = timedelta(seconds=30)
_HEALTHY_LIFE = timedelta(seconds=30)


class RestartPause:
    def __init__(self, longest: timedelta = LONGEST_PAUSE) -> None:
        self._longest = longest
        self._next = _FIRST
        self._began = 0.0

    def begin(self, now: float) -> None:
        self._began = now

    def after_death(self, now: float) -> timedelta:
        if now - self._began >= _HEALTHY_LIFE.total_seconds():
            self._next = _FIRST
        pause, self._next = self._next, min(self._longest, self._next * 2)
        return pause
