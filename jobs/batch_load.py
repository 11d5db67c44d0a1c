"""How full the batch tier is at one moment, as the dispatcher reasons about it."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class BatchLoad:
    workers: int
    slots: int
    running: int
    due: int
    """Jobs that a claim would find now, counted up to the number asked for."""
