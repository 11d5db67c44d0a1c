"""F4: a fifth of all calls to the outside fails, in every process of ours, to the end.

Half of these calls are not made; the others are made, and their answers are lost. What
an attempt is, the protocol says: it is given back where the job is not to blame.
"""

from typing import Final

import pytest

from tests.chaos.client import Habits
from tests.chaos.injecting import Rates
from tests.chaos.plan import Plan
from tests.chaos.run import Outcome, run
from tests.figures.record import record

JOBS: Final = 500
SEED: Final = 4
MOST_ATTEMPTS: Final = 1.6
STRUCK: Final = {
    "postgres",
    "postgres commit",
    "engine",
    "kafka send",
    "kafka poll",
    "kafka commit",
    "valkey send",
    "valkey count",
    "webhook",
    "mail",
    "mail text",
}


@pytest.mark.timeout(200)
async def test_f04_calls_of_which_a_fifth_fails_lose_and_double_nothing() -> None:
    outcome = await run(
        Plan(
            jobs=JOBS,
            seconds=30,
            seed=SEED,
            faults=(),
            engine_seconds=0.3,
            drain_seconds=80,
            # Asked again soon: what fails by chance, time does not heal.
            habits=Habits(
                realtime=0.2, hasty=0, cancelled=0, erased=0, longest_pause=1.0
            ),
            injection=Rates(error=0.1, lost=0.1),
        )
    )
    outcome.report.require()
    found = outcome.report.figures
    assert found["endings"] == {"succeeded": JOBS}
    assert outcome.own_ends == []
    part = _part_that_failed(outcome)
    attempts = _attempts_of_claimed(outcome)
    assert attempts <= MOST_ATTEMPTS
    calls = sum(sum(fates.values()) for fates in outcome.injected.values())
    record(
        figure="F4",
        what="a tenth of all calls to Postgres, engines, Kafka, Valkey, webhooks and "
        "mail is not made, and of another tenth the answer is lost",
        size=f"{JOBS:,} jobs, {calls:,} calls (a tenth of the jobs)",
        seed=SEED,
        result={
            "lost": found["lost"],
            "duplicated": found["duplicated"],
            "attempts per job claimed": round(attempts, 3),
            "claims per job claimed": round(found["claims"] / found["claimed jobs"], 2),
            "part of the calls that failed": round(part, 3),
        },
        goal="0 lost, 0 duplicated, at most 1.6 attempts per job",
        command="make test-faults",
    )


def _part_that_failed(outcome: Outcome) -> float:
    """Of all calls, once every edge was struck and the whole is what was asked for."""
    failed = {
        edge: fates.get("error", 0) + fates.get("lost", 0)
        for edge, fates in outcome.injected.items()
    }
    assert {edge for edge, count in failed.items() if count} == STRUCK
    calls = sum(sum(fates.values()) for fates in outcome.injected.values())
    part = sum(failed.values()) / calls
    assert 0.18 <= part <= 0.22
    return part


def _attempts_of_claimed(outcome: Outcome) -> float:
    """On average; who was served in realtime was never claimed, and would flatter it."""
    found = outcome.report.figures
    attempts = sum(count * jobs for count, jobs in found["attempts per job"].items())
    served_at_once = found["jobs"] - found["claimed jobs"]
    return float((attempts - served_at_once) / found["claimed jobs"])
