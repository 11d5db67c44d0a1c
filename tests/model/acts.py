"""All that an actor may do, when it can, and how often it does when it may choose."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from random import Random
from typing import Final

from tests.model import caller_acts as callers
from tests.model import keeper_acts as keepers
from tests.model import notifier_acts as notifiers
from tests.model import worker_acts as workers
from tests.model.world import SHORT, Actor, Answer

Deed = Callable[[Actor, Random], Awaitable[Answer]]
Condition = Callable[[Actor], bool]


@dataclass(frozen=True)
class Act:
    do: Deed
    weight: int
    can: Condition
    is_foreseen: bool = False
    """Whether `expected` can tell beforehand what the answer has to be."""


def _always(_: Actor) -> bool:
    return True


def _has_jobs(actor: Actor) -> bool:
    return bool(actor.world.known)


def _holds(actor: Actor) -> bool:
    return bool(actor.claims)


def _holds_long(actor: Actor) -> bool:
    return any(held.characters != SHORT for held in actor.claims)


def _reserves(actor: Actor) -> bool:
    return bool(actor.reservations)


def _sends(actor: Actor) -> bool:
    return bool(actor.deliveries)


ACTS: Final = {
    "submit": Act(callers.submit_jobs, 10, _always),
    "reserve": Act(callers.reserve, 3, _always),
    "answer": Act(callers.answer, 6, _reserves),
    "hand_over": Act(callers.hand_over, 4, _reserves),
    "release": Act(callers.release, 1, _reserves),
    "cancel": Act(callers.cancel_job, 3, _has_jobs, is_foreseen=True),
    "erase": Act(callers.erase_job, 2, _has_jobs),
    "read": Act(callers.read, 4, _has_jobs),
    "claim": Act(workers.claim_jobs, 16, _always, is_foreseen=True),
    "start": Act(workers.start, 8, _holds, is_foreseen=True),
    "heartbeat": Act(workers.heartbeat, 8, _holds, is_foreseen=True),
    "store_chunk": Act(workers.store_chunk, 8, _holds_long, is_foreseen=True),
    "finish": Act(workers.finish, 8, _holds, is_foreseen=True),
    "fail": Act(workers.fail, 8, _holds, is_foreseen=True),
    "hand_back": Act(workers.hand_back, 4, _holds, is_foreseen=True),
    "sweep": Act(keepers.sweep, 8, _always, is_foreseen=True),
    "wake": Act(keepers.wake, 8, _always, is_foreseen=True),
    "expire": Act(keepers.expire, 3, _always, is_foreseen=True),
    "retain": Act(keepers.retain, 3, _always),
    "requeue": Act(keepers.requeue, 3, _always),
    "fail_by_hand": Act(keepers.fail_by_hand, 1, _has_jobs, is_foreseen=True),
    "pause": Act(keepers.pause, 2, _always),
    "move": Act(keepers.move, 3, _always),
    "pass_time": Act(keepers.pass_time, 10, _always),
    "claim_due": Act(notifiers.claim_due, 8, _always),
    "record": Act(notifiers.record, 8, _sends, is_foreseen=True),
    "release_delivery": Act(notifiers.release, 2, _sends),
    "drop_delivery": Act(notifiers.cancel, 1, _sends),
    "sweep_deliveries": Act(notifiers.sweep, 3, _always),
}
