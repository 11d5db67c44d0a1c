"""F3: the topic of the hints is deleted and made anew while jobs run."""

import pytest

from tests.chaos.client import Habits
from tests.chaos.plan import Plan
from tests.chaos.run import run
from tests.figures.record import record

JOBS = 1000
SEED = 3


@pytest.mark.timeout(180)
async def test_f03_a_topic_that_is_deleted_and_made_anew_loses_no_job() -> None:
    plan = Plan(
        jobs=JOBS,
        seconds=30,
        seed=SEED,
        faults=("topic",),
        every=8.0,
        engine_seconds=1.0,
        drain_seconds=100,
        habits=Habits(realtime=0, hasty=0, cancelled=0, erased=0, long=0.05),
    )
    outcome = await run(plan)
    outcome.report.require()
    figures = outcome.report.figures
    assert figures["endings"] == {"succeeded": JOBS}
    assert outcome.faults["topic"] >= 3
    record(
        figure="F3",
        what="the Kafka topic deleted and made anew while jobs run",
        size=f"{JOBS:,} jobs, {outcome.faults['topic']} deletions",
        seed=SEED,
        result={
            "lost": figures["lost"],
            "duplicated": figures["duplicated"],
            "all done after the last deletion, s": outcome.durations[
                "after the last fault"
            ],
        },
        goal="0 lost",
        command="make test-faults",
    )
