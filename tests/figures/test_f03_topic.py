"""F3: the topic of the hints is deleted and made anew while jobs run."""

import pytest

from tests.figures.draining import drain_under, record_drained


@pytest.mark.timeout(180)
async def test_f03_a_topic_that_is_deleted_and_made_anew_loses_no_job() -> None:
    outcome = await drain_under("topic", every=8.0, seed=3)
    assert outcome.faults["topic"] >= 3
    record_drained(
        outcome,
        figure="F3",
        what="the Kafka topic deleted and made anew while jobs run",
        size=f"{outcome.faults['topic']} deletions",
        last="all done after the last deletion, s",
        goal="0 lost",
    )
