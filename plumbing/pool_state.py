"""A pool of engines at one moment, for those who decide by it and ask nobody."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class PoolState:
    """The pool at one moment; `in_flight` and `capacity` are of the healthy engines."""

    healthy: int
    engines: int
    in_flight: int
    capacity: int

    @property
    def is_down(self) -> bool:
        return self.healthy == 0

    @property
    def is_saturated(self) -> bool:
        return self.in_flight >= self.capacity
