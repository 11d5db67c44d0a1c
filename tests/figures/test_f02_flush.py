"""F2: the broker forgets everything again and again while the jobs drain."""

import pytest

from tests.figures.draining import drain_under, record_drained

LATEST_SECONDS = 90


@pytest.mark.timeout(180)
async def test_f02_a_broker_that_is_emptied_every_few_seconds_costs_time_only() -> None:
    outcome = await drain_under("flush", every=3.0, seed=2)
    assert outcome.faults["flush"] >= 9
    assert outcome.durations["after the last fault"] <= LATEST_SECONDS
    record_drained(
        outcome,
        figure="F2",
        what="FLUSHALL on Valkey, again and again, while jobs drain",
        size=f"{outcome.faults['flush']} flushes",
        last="last job and delivery after the last flush, s",
        goal="0 lost, the last job at most 90 s after the last flush",
    )
