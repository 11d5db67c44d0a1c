"""The protocol, played: one actor at a time as Hypothesis likes, and eight at once."""

from hypothesis import settings
from hypothesis.stateful import run_state_machine_as_test

from tests.model.machine import SETTINGS, Stage, machine_on
from tests.model.walk import Crowd


def test_no_sequence_of_steps_breaks_an_invariant(stage: Stage) -> None:
    run_state_machine_as_test(
        machine_on(stage),
        settings=settings(SETTINGS, max_examples=5, stateful_step_count=100),
    )
    assert stage.steps >= 500


def test_eight_actors_at_once_break_no_invariant(stage: Stage) -> None:
    crowd = Crowd(stage.world, seed=1)
    stage.run(crowd.act(rounds=5, steps_each=25))
    stage.run(crowd.walk.come_to_an_end())
    assert crowd.acts >= 1_000
