"""The audit: what the actors were told against what the database did, step by step.

Two accounts that know nothing of one another have to agree: every step was told to
exactly one actor, under the very fence that it gave, and nobody was told of a step that
was not taken. Each step must be one of the lifecycle's, in a time that allows it.
"""

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final
from uuid import UUID

from sqlalchemy import text

from jobs.lifecycle import FINAL, MAX_ATTEMPTS, TRANSITIONS, State
from plumbing.database import Transaction
from tests.model.keeper_acts import PAUSE_AFTER_LOSS
from tests.model.world import LEASE, Answer


class Broken(AssertionError):
    """An invariant does not hold; the words begin with its name."""


CAUSES: Final = {
    "submit": "submit",
    "answer": "answer",
    "claim": "claim",
    "heartbeat": "heartbeat",
    "leave": "leave",
    "sweep": "leave",
    "wake": "wake",
    "requeue": "wake",
    "expire": "expire",
    "cancel": "cancel",
    "erase": "erase",
    "move": "move",
    "fail": "fail",
}
_LEGAL: Final = {
    (step.cause, step.source and step.source.value, step.target.value)
    for step in TRANSITIONS
} | {
    ("cancel", "running", "running"),  # asked to stop, not stopped
    # Over a failure by hand, too, the deadline and the cancel win.
    *(("fail", state, "expired") for state in ("queued", "retry_wait", "running")),
    ("fail", "running", "cancelled"),
}
_KEEPING_FENCE: Final = {("retry_wait", "queued")}
_STEPS: Final = "SELECT * FROM model.step WHERE n > :n ORDER BY n"
_RESULTS: Final = "SELECT * FROM model.result WHERE n > :n ORDER BY n"
_FREED: Final = "SELECT * FROM model.key_freed WHERE n > :n ORDER BY n"
_DELIVERY_STEPS: Final = "SELECT * FROM model.delivery_step WHERE n > :n ORDER BY n"


@dataclass
class Life:
    """Where the steps of a job have led so far."""

    state: str
    fence: int
    version: int
    attempt: int


class Books:
    def __init__(self) -> None:
        self._read_to = dict.fromkeys((_STEPS, _RESULTS, _FREED, _DELIVERY_STEPS), 0)
        self._lives: dict[UUID, Life] = {}
        self._deliveries: dict[UUID, tuple[str, int]] = {}
        self._summaries: set[UUID] = set()
        self._keys: Counter[tuple[UUID, str]] = Counter()
        self.steps = 0
        """How many steps of jobs were judged."""

    async def audit(self, tx: Transaction, answers: Iterable[Answer]) -> None:
        """Judge all that happened since the last time; nobody may be acting now."""
        answers = list(answers)
        steps = await self._new(tx, _STEPS)
        for step in steps:
            self._judge(step)
        self.steps += len(steps)
        _compare(_told(answers), _done(steps))
        for result in await self._new(tx, _RESULTS):
            self._judge_result(result)
        for freed in await self._new(tx, _FREED):
            _demand(freed.was_over, "I1 a key that was let go too early", freed)
            self._keys[freed.tenant_id, freed.key] -= 1
        self._judge_keys(answers)
        moved = await self._new(tx, _DELIVERY_STEPS)
        for step in moved:
            self._judge_delivery(step)
        _compare(_told_of_deliveries(answers), _done_with_deliveries(moved))

    async def _new(self, tx: Transaction, statement: str) -> list[Any]:
        found = (
            await tx.execute(text(statement), {"n": self._read_to[statement]})
        ).all()
        if found:
            self._read_to[statement] = found[-1].n
        return list(found)

    def _judge(self, step: Any) -> None:
        life = self._lives.get(step.job_id)
        was = life and (life.state, life.fence, life.version, life.attempt)
        if step.old_state is None:
            _demand(was is None, "I1 a job began twice", step)
        else:
            before = (
                step.old_state,
                step.old_fence,
                step.old_version,
                step.old_attempt,
            )
            _demand(was == before, f"I3 it stood at {was}", step)
        now = (step.new_state, step.new_fence, step.new_version, step.new_attempt)
        if step.old_state in FINAL:
            _demand(was == now, "I1 an ending changed", step)
            return
        self._lives[step.job_id] = Life(*now)
        cause = CAUSES.get(step.act)
        _demand(
            (cause, step.old_state, step.new_state) in _LEGAL,
            "I1 no step of the lifecycle",
            step,
        )
        if step.old_state is not None:
            _judge_numbers(step)
        _judge_times(step)

    def _judge_result(self, result: Any) -> None:
        """Who wrote it held the job, or ended it in the same statement."""
        held = (result.fence, "running") == (result.job_fence, result.job_state)
        just_ended = result.job_state == "succeeded" and (
            result.fence == max((result.job_fence or 0) - 1, 0)
        )
        if result.what == "summary":
            _demand(just_ended, "I2 a summary of somebody who did not finish", result)
            _demand(result.job_id not in self._summaries, "I2 a second summary", result)
            self._summaries.add(result.job_id)
        else:
            _demand(held or just_ended, "I3 a chunk of somebody not holding", result)

    def _judge_keys(self, answers: list[Answer]) -> None:
        for answer in answers:
            if answer.act in {"submit", "answer"}:
                self._keys.update(
                    answer.given[each]
                    for each in answer.told
                    if answer.given[each][1] is not None
                )
        doubled = [key for key, count in self._keys.items() if count > 1]
        if doubled:
            raise Broken(f"I1 two jobs under one key: {doubled}")

    def _judge_delivery(self, step: Any) -> None:
        was = self._deliveries.get(step.id)
        if step.old_state is not None:
            before = (step.old_state, step.old_fence)
            _demand(was == before, f"I3 the delivery stood at {was}", step)
            is_over = step.old_state not in {"due", "sending"}
            _demand(
                not is_over or step.new_state == step.old_state,
                "I1 a delivery's ending changed",
                step,
            )
            has_moved = step.new_state != step.old_state
            _demand(
                step.new_fence == step.old_fence + has_moved,
                "I3 a delivery's fence",
                step,
            )
        self._deliveries[step.id] = (step.new_state, step.new_fence)


def _judge_numbers(step: Any) -> None:
    moved = step.new_state != step.old_state
    rises = moved and (step.old_state, step.new_state) not in _KEEPING_FENCE
    _demand(step.new_fence == step.old_fence + rises, "I3 the fence", step)
    _demand(step.new_version >= step.old_version + moved, "I3 the version", step)
    change = step.new_attempt - step.old_attempt
    allowed = {"claim": {1}, "leave": {0, -1}, "sweep": {0, -1}}.get(step.act, {0})
    _demand(change in allowed, "I6 the attempts", step)
    _demand(0 <= step.new_attempt <= MAX_ATTEMPTS, "I6 the attempts", step)
    if step.cancelling:
        _demand(
            step.new_state in {"running", "cancelled"}, "I1 a cancel did not win", step
        )


def _judge_times(step: Any) -> None:
    """By what the statement wrote: it knows its own time, a trigger may come later."""
    if step.act == "claim":
        _demand(step.deadline > step.new_lease - LEASE, "I1 claimed too late", step)
    elif step.act == "heartbeat":
        _demand(
            step.old_lease > step.new_lease - LEASE, "I3 a dead lease revived", step
        )
    elif step.act == "sweep":
        at: datetime = step.finished_at or step.run_at - PAUSE_AFTER_LOSS
        _demand(step.old_lease < at or step.deadline <= at, "I3 swept while held", step)
    if step.new_state == "expired":
        _demand(step.deadline <= step.finished_at, "I1 expired too early", step)
    if step.act == "leave" and step.new_state in {"succeeded", "failed"}:
        _demand(step.deadline > step.finished_at, "I1 the deadline lost", step)


def _told(answers: list[Answer]) -> Counter[Any]:
    told: Counter[Any] = Counter()
    for each in answers:
        match each.act:
            case "claim":
                told.update(("claim", i, fence) for i, (fence, _) in each.told.items())
            case "heartbeat":
                told.update(("heartbeat", *item) for item in each.told.items())
            case "leave":
                told.update(("leave", i, *left) for i, left in each.told.items())
            case "wake":
                told["wake"] += each.count or 0
            case "fail" | "requeue" | "submit" | "answer":
                told.update((each.act, i) for i in each.told)
            case "sweep" | "expire" | "cancel":
                told.update((each.act, *item) for item in each.told.items())
    return told


def _done(steps: list[Any]) -> Counter[Any]:
    done: Counter[Any] = Counter()
    for step in steps:
        match step.act:
            case "claim" | "heartbeat":
                done[step.act, step.job_id, step.new_fence] += 1
            case "leave":
                done["leave", step.job_id, step.old_fence, State(step.new_state)] += 1
            case "wake":
                done["wake"] += 1
            case "fail" | "requeue" | "submit" | "answer":
                done[step.act, step.job_id] += 1
            case "sweep" | "expire" | "cancel":
                done[step.act, step.job_id, step.new_state] += 1
    return done


def _told_of_deliveries(answers: list[Answer]) -> Counter[Any]:
    acts = {"claim delivery", "record delivery"}
    return Counter(
        (each.act, *item)
        for each in answers
        if each.act in acts
        for item in each.told.items()
    )


def _done_with_deliveries(steps: list[Any]) -> Counter[Any]:
    claimed = [s for s in steps if s.new_state == "sending" != s.old_state]
    recorded = [s for s in steps if s.new_attempt != (s.old_attempt or 0)]
    return Counter(
        [("claim delivery", s.id, s.new_fence) for s in claimed]
        + [("record delivery", s.id, s.old_fence) for s in recorded]
    )


def _compare(told: Counter[Any], done: Counter[Any]) -> None:
    if told != done:
        raise Broken(
            f"I3 told of, but not done: {list(told - done)};"
            f" done, but told to nobody: {list(done - told)}"
        )


def _demand(holds: object, what: str, step: Any) -> None:
    if not holds:
        raise Broken(f"{what}: {dict(step._mapping)}")
