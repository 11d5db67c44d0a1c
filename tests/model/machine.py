"""The rules as Hypothesis plays them: it picks the acts, and finds the shortest story.

Which actor, and every choice inside an act, is Hypothesis's too, so that a failure is
told again, and shrunk, from the seed that it prints.
"""

import asyncio
from collections.abc import Callable, Iterator
from random import Random
from typing import Any, Final

import hypothesis.strategies as st
import pytest
from hypothesis import HealthCheck, Phase, settings
from hypothesis.stateful import RuleBasedStateMachine, precondition, rule

from tests.database_clock import DatabaseClock
from tests.model.acts import ACTS
from tests.model.walk import Walk
from tests.model.world import ACTORS, Actor, World

SETTINGS: Final = settings(
    deadline=None,
    database=None,
    suppress_health_check=list(HealthCheck),
    phases=(Phase.generate, Phase.shrink),
)


class Stage:
    """The world, and the loop in which its connections live, for many walks."""

    def __init__(self, url: str) -> None:
        self._runner = asyncio.Runner(loop_factory=asyncio.new_event_loop)
        self.world = World(url, DatabaseClock(url))
        self.steps = 0
        self.run(self.world.open())

    def run(self, work: Any) -> Any:
        async def awaited() -> Any:
            return await work

        return self._runner.run(awaited())

    def close(self) -> None:
        self.run(self.world.close())
        self._runner.close()


@pytest.fixture
def stage(database_url: str) -> Iterator[Stage]:
    opened = Stage(database_url)
    yield opened
    opened.close()


@pytest.fixture
def unguarded(stage: Stage) -> Stage:
    """The database refuses nothing by itself, so that only the model can object."""
    stage.run(stage.world.unguard())
    return stage


def machine_on(stage: Stage) -> type[RuleBasedStateMachine]:
    """A state machine whose walks all happen on this stage."""

    class Machine(RuleBasedStateMachine):
        def __init__(self) -> None:
            super().__init__()
            stage.run(stage.world.reset())
            self.walk = Walk(stage.world)

        def teardown(self) -> None:
            stage.steps += self.walk.taken
            stage.run(self.walk.come_to_an_end())

    for name in ACTS:
        setattr(Machine, name, _a_rule(stage, name))
    return Machine


def _a_rule(stage: Stage, name: str) -> Any:
    def fitting() -> list[Actor]:
        return [actor for actor in stage.world.actors if ACTS[name].can(actor)]

    def act(self: Any, which: int, choice: Random) -> None:
        actors = fitting()
        actor = actors[which % len(actors)]
        stage.run(self.walk.step(actor, name, choice))

    act.__name__ = name
    condition: Callable[[Any], bool] = lambda _: bool(fitting())  # noqa: E731
    drawn = rule(
        which=st.integers(0, ACTORS - 1), choice=st.randoms(use_true_random=False)
    )
    return precondition(condition)(drawn(act))
