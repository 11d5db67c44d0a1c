"""F2: the broker forgets everything again and again while the jobs drain."""

import pytest

from tests.chaos.client import Habits
from tests.chaos.plan import Plan
from tests.chaos.run import run
from tests.figures.record import record

JOBS = 1000
SEED = 2
LATEST_SECONDS = 90


@pytest.mark.timeout(180)
async def test_f02_a_broker_that_is_emptied_every_few_seconds_costs_time_only() -> None:
    plan = Plan(
        jobs=JOBS,
        seconds=30,
        seed=SEED,
        faults=("flush",),
        every=3.0,
        # Hardly faster than they come, so that work is under way at every flush.
        engine_seconds=1.0,
        drain_seconds=100,
        habits=Habits(realtime=0, hasty=0, cancelled=0, erased=0, long=0.05),
    )
    outcome = await run(plan)
    outcome.report.require()
    figures = outcome.report.figures
    after = outcome.durations["after the last fault"]
    assert figures["endings"] == {"succeeded": JOBS}
    assert outcome.faults["flush"] >= 9
    assert after <= LATEST_SECONDS
    record(
        figure="F2",
        what="FLUSHALL on Valkey, again and again, while jobs drain",
        size=f"{JOBS:,} jobs, a flush every {plan.every:.0f} s",
        seed=SEED,
        result={
            "flushes": outcome.faults["flush"],
            "lost": figures["lost"],
            "duplicated": figures["duplicated"],
            "last job and delivery after the last flush, s": after,
        },
        goal="0 lost, the last job at most 90 s after the last flush",
        command="make test-faults",
    )
