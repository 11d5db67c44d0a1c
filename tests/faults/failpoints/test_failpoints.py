"""Twelve instants, three faults at each, on real processes: nothing lost or doubled.

`kill`: SIGKILL. `freeze`: SIGSTOP until every lease has lapsed. `lose_answer`: what was
asked is done, and the caller sees the error of a broken line. Each test ends before
the judge of the chaos runs, who believes Postgres and the receiver alone, and counts
the attempts that the protocol says.
"""

import asyncio
from collections.abc import Sequence
from uuid import UUID

import pytest

from plumbing.failpoints import ENDING_BEGUN, POINTS, Action, Point
from tests.builders import A_TEXT
from tests.chaos.checker import Leftovers, check
from tests.faults.failpoints.expected import (
    AFTERMATH,
    FREEZE,
    KILL,
    LOSE,
    Aftermath,
    Kind,
    all_cases,
)
from tests.faults.failpoints.stack import LEASE_SECONDS, Held, Stack
from tests.figures.record import record
from tests.fixtures.processes import Process

SEVERAL_CHUNKS = "\n\n".join(
    f"Chapter {town}\n\n"
    + " ".join(
        f"House {house} of town {town} was built in the year {1500 + 20 * town + house}"
        f" by {house * town + 2} masons, and {house + 3} families live there."
        for house in range(1, 15)
    )
    for town in range(1, 6)
)
CASES = list(all_cases())

Survived = dict[tuple[Point, Action], int]
"""The jobs of each case that held so far."""


@pytest.fixture(scope="module")
def survived() -> Survived:
    return {}


def test_every_point_meets_every_fault() -> None:
    met = {(point, action) for _, point, action in CASES}
    assert met == {(point, action) for point in POINTS for action in Action}
    assert len(CASES) == len(met) == 36


@pytest.mark.parametrize(("kind", "point", "action"), CASES)
async def test_a_fault_costs_time_only(
    stack: Stack, survived: Survived, kind: Kind, point: Point, action: Action
) -> None:
    expected = AFTERMATH[point][action]
    await stack.heal()
    if kind == "dispatcher":
        # Hints by way of Kafka must do alone: the reconciler replaces none.
        await stack.tell(kind, PRECIS_HINT_PATIENCE="PT1H")
    stack.arm(point, action)
    jobs = await stack.submit(*_texts(kind, point, action))
    struck = await stack.struck(point)
    if action is KILL:
        await asyncio.to_thread(struck.wait, 5)
        held = await stack.held(struck)
        await stack.replace(kind, struck)
    elif action is FREEZE:
        held = await _sleep_through(stack, kind, struck, jobs)
        await stack.wake(struck, finds_refused=expected.is_refused)
        stack.gate.set()
    else:
        held = await stack.held(struck)
    await stack.wait_quiet(jobs)
    stack.judge(jobs)
    await _count_attempts(stack, jobs, held, action=action, burns=expected.burns)
    await _count_tries(stack, jobs, expected)
    survived[point, action] = len(jobs)


def _texts(kind: Kind, point: Point, action: Action) -> list[str]:
    """Several jobs, but one only where a sleeper is to meet the one who took it over."""
    if kind != "worker":
        return [A_TEXT] * 3
    if action is not FREEZE:
        return [SEVERAL_CHUNKS] * 3
    # A text of one chunk stores nothing before its ending: its new holder works anew.
    return [A_TEXT if point == ENDING_BEGUN else SEVERAL_CHUNKS]


async def _sleep_through(
    stack: Stack, kind: Kind, struck: Process, jobs: Sequence[UUID]
) -> list[Held]:
    """Wait until the sleeper's leases are over and others do its work."""
    await stack.wait_frozen(struck)
    held = await stack.held(struck)
    if kind == "worker":
        # Who takes a job over does not get far: the sleeper wakes beside it.
        stack.gate.clear()
        await stack.wait_taken_over(jobs, victim=struck)
    if kind == "notifier":
        await stack.wait_quiet(jobs)
    await stack.wait_for_lease()
    return held


async def _count_attempts(
    stack: Stack,
    jobs: Sequence[UUID],
    held: Sequence[Held],
    *,
    action: Action,
    burns: bool,
) -> None:
    attempts = await stack.attempts(jobs)
    burnt = {each.id for each in held if not each.stored} if burns else set()
    late = [each for each in held if await stack.count_stored(each) > each.stored]
    assert action is LOSE or not late, "written under a fence that was over"
    assert attempts == {job: 1 + (job in burnt) for job in jobs}


async def _count_tries(stack: Stack, jobs: Sequence[UUID], expected: Aftermath) -> None:
    deliveries = await stack.deliveries(jobs)
    assert all(each.attempt == each.noted for each in deliveries)
    tries = sorted(each.attempt for each in deliveries)
    assert tries == [1] * (len(jobs) - 1) + [2 if expected.burns_delivery else 1]


async def test_nothing_is_left_behind_by_all_of_them(
    stack: Stack, survived: Survived
) -> None:
    assert set(await stack.stop()) == {0}
    report = check(
        stack.database_url, stack.folder, leftovers=Leftovers(all_stopped=True)
    )
    report.require()
    if len(survived) == len(CASES):
        record(
            figure="F10",
            what="kill -9, a freeze past the lease, and a lost answer, at twelve instants"
            " between a claim and a delivery's record",
            size=f"{len(CASES)} tests, {sum(survived.values())} jobs, leases of"
            f" {LEASE_SECONDS:g} s",
            result={
                key: report.figures[key] for key in ("lost", "duplicated", "unexpected")
            },
            goal="none lost, none doubled, attempts as the protocol counts them",
            command="make guarantees",
        )
