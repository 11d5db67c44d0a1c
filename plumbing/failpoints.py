"""Twelve named points where a test may kill, freeze or deceive its process.

What a fault leaves behind is decided in the instant between an effect outside (a
commit, a send, a call) and the word about it. Each point names such an instant, so
that a test need not hope to meet it. Nothing is armed but by `arm`, which a
composition root calls with a setting that no production setting may hold; until then
a point costs one comparison.

A fault is a file that the test puts into the armed folder: named after the point,
holding the action, the hit that it is meant for, and a word of the test's own. Who
meets it renames it, so it strikes once, in one process, and the test sees whom it
struck. Which points exist is told here, what must be true after a fault is not.
"""

import os
import signal
import threading
from collections import Counter
from collections.abc import Callable
from enum import StrEnum
from pathlib import Path
from typing import Final, NewType

Point = NewType("Point", str)

# The effect is done and nobody has been told, unless a line says otherwise. Plain
# names: a member of an enum costs more to look up than all the rest.
HINTS_SENT: Final = Point("hints.sent")
"""Kafka has them; the outbox still holds them."""
HINTS_HANDED_OVER: Final = Point("hints.handed_over")
"""Celery's queue has them; their offsets are not committed."""
OFFSETS_COMMITTED: Final = Point("offsets.committed")
MESSAGE_TAKEN: Final = Point("message.taken")
"""The Celery message is acknowledged; nothing is claimed."""
JOBS_CLAIMED: Final = Point("jobs.claimed")
ENGINE_ANSWERED: Final = Point("engine.answered")
"""The engine has worked; nothing of it is written."""
CHUNKS_STORED: Final = Point("chunks.stored")
ENDING_BEGUN: Final = Point("ending.begun")
"""Before the effect: what a job leaves with is known and not yet sent."""
ENDING_COMMITTED: Final = Point("ending.committed")
DELIVERIES_CLAIMED: Final = Point("deliveries.claimed")
DELIVERY_SENT: Final = Point("delivery.sent")
"""The receiver has answered; no attempt is recorded."""
DELIVERY_RECORDED: Final = Point("delivery.recorded")

POINTS: Final = (
    HINTS_SENT,
    HINTS_HANDED_OVER,
    OFFSETS_COMMITTED,
    MESSAGE_TAKEN,
    JOBS_CLAIMED,
    ENGINE_ANSWERED,
    CHUNKS_STORED,
    ENDING_BEGUN,
    ENDING_COMMITTED,
    DELIVERIES_CLAIMED,
    DELIVERY_SENT,
    DELIVERY_RECORDED,
)


class Action(StrEnum):
    KILL = "kill"
    FREEZE = "freeze"
    """Until somebody sends SIGCONT."""
    LOSE_ANSWER = "lose_answer"
    """The caller sees the error that it would see had the line broken now."""


Lost = Callable[[str], Exception]
_armed: "_Faults | None" = None


def reach(point: Point, lost: Lost) -> None:
    """Pass a point; `lost` makes the error that a lost answer gives there."""
    if _armed is not None:
        _armed.strike(point, lost)


def arm(folder: Path | None) -> None:
    """Look for faults in a folder from now on; None, as in production: do not."""
    global _armed  # noqa: PLW0603 - one switch for the process, turned at its root
    _armed = None if folder is None else _Faults(folder)


class _Faults:
    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._hits: Counter[str] = Counter()

    def strike(self, point: Point, lost: Lost) -> None:
        armed = self._folder / point
        try:
            told = armed.read_text()
            action, hit, _ = told.split()
            self._hits[told] += 1
            if self._hits[told] < int(hit):
                return
            armed.rename(self._folder / f"{point}.{os.getpid()}")
        except FileNotFoundError:
            return  # not armed, or another process met it first
        _act(Action(action), lost)


def _act(action: Action, lost: Lost) -> None:
    if action is Action.KILL:
        os.kill(os.getpid(), signal.SIGKILL)
    if action is Action.FREEZE:
        # To this very thread: sent to the process, it may run on for a moment.
        signal.pthread_kill(threading.get_ident(), signal.SIGSTOP)
    if action is Action.LOSE_ANSWER:
        raise lost("failpoint")
