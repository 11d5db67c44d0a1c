"""F19: ten thousand steps by eight actors at once, and as Hypothesis likes, one by one."""

import pytest
from hypothesis import settings
from hypothesis.stateful import run_state_machine_as_test

from tests.figures.record import record
from tests.model.books import Broken
from tests.model.breaks import RARE_BREAKS, apply
from tests.model.machine import SETTINGS, Stage, machine_on, stage, unguarded
from tests.model.walk import Crowd, wander

__all__ = ["stage", "unguarded"]

_SEED = 19
_EPOCHS = 10
_ROUNDS = 5
_STEPS_EACH = 25


@pytest.mark.timeout(300)
def test_ten_thousand_steps_break_no_invariant(stage: Stage) -> None:
    crowds = [_play(stage, seed=_SEED + epoch) for epoch in range(_EPOCHS)]
    at_once = sum(crowd.acts for crowd in crowds)
    assert at_once >= 10_000
    run_state_machine_as_test(
        machine_on(stage),
        settings=settings(SETTINGS, max_examples=25, stateful_step_count=100),
    )
    assert stage.steps >= 2_000
    record(
        figure="F19",
        what="a model of the protocol plays the very SQL against a real Postgres,"
        " late writes of lapsed holders all the time; I1 to I7 in every snapshot",
        size=f"{at_once:,} steps by 8 actors at once, and {stage.steps:,} one by one"
        " with every answer foreseen",
        seed=_SEED,
        result={
            "steps at once": at_once,
            "steps one by one": stage.steps,
            "changes of jobs audited": sum(c.walk.books.steps for c in crowds),
            "snapshots checked in between": sum(c.snapshots for c in crowds),
            "steps undone by Postgres": sum(c.in_the_way for c in crowds),
            "broken invariants": 0,
        },
        goal="10,000 steps, no invariant broken",
        command="make test-faults",
    )


@pytest.mark.parametrize("name", RARE_BREAKS)
def test_the_model_finds(
    name: str, unguarded: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    apply(RARE_BREAKS[name], monkeypatch)
    with pytest.raises(Broken, match=RARE_BREAKS[name].finds):
        unguarded.run(wander(unguarded.world))


def _play(stage: Stage, *, seed: int) -> Crowd:
    stage.run(stage.world.reset())
    crowd = Crowd(stage.world, seed=seed)
    stage.run(crowd.act(rounds=_ROUNDS, steps_each=_STEPS_EACH))
    stage.run(crowd.walk.come_to_an_end())
    return crowd
