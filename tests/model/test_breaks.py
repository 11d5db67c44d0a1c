"""The model finds each break of the protocol; one that it misses would be its own hole."""

from random import Random

import pytest
from sqlalchemy import text

from tests.model.books import Broken
from tests.model.breaks import BREAKS, UNLOCKED_CLAIM, apply
from tests.model.journal import UNGUARD
from tests.model.machine import Stage
from tests.model.walk import Crowd, Walk

_MOST_WALKS = 20


@pytest.fixture
def unguarded(stage: Stage) -> Stage:
    """The database refuses nothing by itself, so that only the model can object."""

    async def unguard() -> None:
        async with stage.world.watching.transaction() as tx:
            for statement in UNGUARD.split(";;"):
                await tx.execute(text(statement))

    stage.run(unguard())
    return stage


@pytest.mark.parametrize("name", BREAKS)
def test_the_model_finds(
    name: str, unguarded: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    apply(BREAKS[name], monkeypatch)
    with pytest.raises(Broken, match=BREAKS[name].finds):
        unguarded.run(_wander(unguarded))


async def _wander(stage: Stage) -> None:
    for seed in range(_MOST_WALKS):
        await stage.world.reset()
        await Walk(stage.world).wander(Random(seed), steps=100)


def test_the_model_finds_a_claim_that_locks_nothing(
    unguarded: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    apply(UNLOCKED_CLAIM, monkeypatch)
    crowd = Crowd(unguarded.world, seed=1)
    with pytest.raises(Broken, match=UNLOCKED_CLAIM.finds):
        unguarded.run(crowd.act(rounds=40, steps_each=25))
