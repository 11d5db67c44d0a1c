"""What F2 and F3 share: jobs that keep coming while one thing is taken away and again."""

from typing import Final

from tests.chaos.client import Habits
from tests.chaos.plan import Plan
from tests.chaos.run import Outcome, run
from tests.figures.record import Value, record

JOBS: Final = 1000


async def drain_under(fault: str, *, every: float, seed: int) -> Outcome:
    """All of them succeed, and the judge finds nothing lost or doubled."""
    outcome = await run(
        Plan(
            jobs=JOBS,
            seconds=30,
            seed=seed,
            faults=(fault,),
            every=every,
            # Hardly faster than they come, so that work is under way at every fault.
            engine_seconds=1.0,
            drain_seconds=100,
            habits=Habits(realtime=0, hasty=0, cancelled=0, erased=0, long=0.05),
        )
    )
    outcome.report.require()
    assert outcome.report.figures["endings"] == {"succeeded": JOBS}
    return outcome


def record_drained(
    outcome: Outcome, *, figure: str, what: str, size: str, last: str, goal: str
) -> None:
    """`last` names the seconds from the last fault until all was done."""
    found = outcome.report.figures
    result: dict[str, Value] = {word: found[word] for word in ("lost", "duplicated")}
    result[last] = outcome.durations["after the last fault"]
    record(
        figure=figure,
        what=what,
        size=f"{JOBS:,} jobs, {size}",
        seed=outcome.plan.seed,
        result=result,
        goal=goal,
        command="make test-faults",
    )
