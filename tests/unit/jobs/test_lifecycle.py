"""The state machine as data, and what the table says of it."""

import re
from pathlib import Path

from jobs.lifecycle import FINAL, TRANSITIONS, WAITING, State, sources, sql_list

SCHEMA = Path(__file__).parents[3] / "migrations/versions/20261121_0001_first.py"


def test_a_final_state_is_never_left() -> None:
    assert not FINAL & {step.source for step in TRANSITIONS}


def test_every_state_can_be_reached_and_every_other_one_left() -> None:
    assert {step.target for step in TRANSITIONS} == set(State)
    assert {step.source for step in TRANSITIONS} >= set(State) - FINAL


def test_waiting_jobs_can_be_cancelled_and_expired() -> None:
    assert sources("cancel") == sources("expire") == WAITING


def test_the_table_knows_the_same_states() -> None:
    schema = SCHEMA.read_text()
    [listed] = re.findall(
        r"state +text NOT NULL CHECK \(state IN \(([^)]*)\)\),", schema
    )[:1]
    assert set(re.findall(r"'(\w+)'", listed)) == {state.value for state in State}
    [final] = re.findall(
        r"job_finished_when_final\s+CHECK \(\(state IN \(([^)]*)\)\)", schema
    )
    assert set(re.findall(r"'(\w+)'", final)) == {state.value for state in FINAL}


def test_a_list_of_states_is_spelled_in_a_fixed_order() -> None:
    assert sql_list([State.QUEUED, State.FAILED]) == "'failed', 'queued'"
