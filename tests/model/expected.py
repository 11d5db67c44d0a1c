"""What an actor has to be told, computed from the rows as they stood before it acted.

Only for one actor at a time. The audit sees to it that nobody gets too much; this sees
to it that nobody is refused what is his: whoever holds a job can renew, store and leave,
whoever asks for the due jobs gets the best of them.
"""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final
from uuid import UUID

from sqlalchemy import text

from jobs.lifecycle import FINAL, WAITING, State
from jobs.operations.claim import FLOOR_SLACK
from jobs.store.pause_store import ASIDE
from plumbing.database import Transaction
from tests.model.books import Broken
from tests.model.world import Answer

_JOBS: Final = """
SELECT id, tenant_id, state, fence, attempt, tag, lease_until, run_at, deadline,
       cancel_requested,
       EXISTS (SELECT FROM chunk c WHERE c.job_id = j.id AND c.fence = j.fence) AS stored
FROM job j
"""
_AROUND: Final = """
SELECT statement_timestamp() AS now, (SELECT last_value FROM fair_clock) AS clock,
       ARRAY(SELECT tenant_id FROM pause WHERE scope = 'tenant' AND step <> 'resuming')
           AS paused,
       EXISTS (SELECT FROM pause WHERE name = 'batch') AS batch_is_paused
"""
_DELIVERIES: Final = "SELECT id, fence FROM delivery"


@dataclass(frozen=True)
class Before:
    now: datetime
    clock: int
    paused: list[UUID]
    batch_is_paused: bool
    jobs: dict[UUID, Any]
    deliveries: dict[UUID, int]


async def look(tx: Transaction) -> Before:
    around = (await tx.execute(text(_AROUND))).one()
    jobs = {row.id: row for row in await tx.execute(text(_JOBS))}
    deliveries = {row.id: row.fence for row in await tx.execute(text(_DELIVERIES))}
    return Before(
        around.now,
        around.clock,
        list(around.paused),
        around.batch_is_paused,
        jobs,
        deliveries,
    )


def check_answer(before: Before, answer: Answer) -> None:
    expect = _EXPECTED.get(answer.act)
    if expect is None:
        return
    expected = expect(before, answer)
    told = answer.count if answer.act == "wake" else answer.told
    if told != expected:
        raise Broken(f"I3 {answer.act} of {answer.given}: {told}, not {expected}")


def _claim(before: Before, answer: Answer) -> dict[UUID, Any]:
    [given] = answer.given.values()
    if before.batch_is_paused:
        return {}
    floor = 0 if given["whole"] else before.clock - FLOOR_SLACK
    due = sorted(
        (row.tag, row.id)
        for row in before.jobs.values()
        if row.state == State.QUEUED
        and floor <= row.tag < ASIDE
        and row.tenant_id not in before.paused
        and row.deadline > before.now
    )
    chosen = [before.jobs[job_id] for _, job_id in due[: given["count"]]]
    return {row.id: (row.fence + 1, row.attempt + 1) for row in chosen}


def _holding(before: Before, answer: Answer) -> dict[UUID, Any]:
    """Those whose fence is given and whose lease is not over."""
    return {
        job_id: fence
        for job_id, fence in answer.given.items()
        if before.jobs[job_id].fence == fence
        and before.jobs[job_id].state == State.RUNNING
        and before.jobs[job_id].lease_until > before.now
    }


def _leave(before: Before, answer: Answer) -> dict[UUID, Any]:
    [(job_id, (fence, wish))] = answer.given.items()
    row = before.jobs[job_id]
    if (row.fence, row.state) != (fence, State.RUNNING):
        return {}
    return {job_id: (fence, _outcome(before, row, wish))}


def _outcome(before: Before, row: Any, wish: str) -> State:
    if row.cancel_requested:
        return State.CANCELLED
    return State.EXPIRED if row.deadline <= before.now else State(wish)


def _sweep(before: Before, _: Answer) -> dict[UUID, Any]:
    return {
        row.id: _outcome(
            before,
            row,
            State.FAILED if row.attempt >= 5 and not row.stored else State.RETRY_WAIT,
        )
        for row in before.jobs.values()
        if row.state == State.RUNNING
        and (row.lease_until < before.now or row.deadline <= before.now)
    }


def _wake(before: Before, _: Answer) -> int:
    return sum(
        row.state == State.RETRY_WAIT and row.run_at <= before.now
        for row in before.jobs.values()
    )


def _expire(before: Before, _: Answer) -> dict[UUID, Any]:
    return {
        row.id: "expired"
        for row in before.jobs.values()
        if row.state in WAITING and row.deadline <= before.now
    }


def _cancel(before: Before, answer: Answer) -> dict[UUID, Any]:
    [(job_id, tenant_id)] = answer.given.items()
    row = before.jobs[job_id]
    if row.tenant_id != tenant_id or row.state in FINAL:
        return {}
    running = row.state == State.RUNNING
    return {job_id: State.RUNNING if running else State.CANCELLED}


def _fail(before: Before, answer: Answer) -> dict[UUID, Any]:
    return {i: None for i in answer.given if before.jobs[i].state not in FINAL}


def _record(before: Before, answer: Answer) -> dict[UUID, Any]:
    return {i: f for i, f in answer.given.items() if before.deliveries.get(i) == f}


_EXPECTED: Final[dict[str, Callable[[Before, Answer], Any]]] = {
    "claim": _claim,
    "start": _holding,
    "heartbeat": _holding,
    "store": _holding,
    "leave": _leave,
    "sweep": _sweep,
    "wake": _wake,
    "expire": _expire,
    "cancel": _cancel,
    "fail": _fail,
    "record delivery": _record,
}
