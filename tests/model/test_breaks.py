"""The model finds each break of the protocol; one that it misses would be its own hole."""

import pytest

from tests.model.books import Broken
from tests.model.breaks import BREAKS, UNLOCKED_CLAIM, apply
from tests.model.machine import Stage
from tests.model.walk import Crowd, wander


@pytest.mark.parametrize("name", BREAKS)
def test_the_model_finds(
    name: str, unguarded: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    apply(BREAKS[name], monkeypatch)
    with pytest.raises(Broken, match=BREAKS[name].finds):
        unguarded.run(wander(unguarded.world))


def test_the_model_finds_a_claim_that_locks_nothing(
    unguarded: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    apply(UNLOCKED_CLAIM, monkeypatch)
    crowd = Crowd(unguarded.world, seed=1)
    with pytest.raises(Broken, match=UNLOCKED_CLAIM.finds):
        unguarded.run(crowd.act(rounds=40, steps_each=25))
