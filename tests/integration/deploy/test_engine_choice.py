"""An engine from outside is looked at first and takes the place of the embedded ones."""

from pathlib import Path

import pytest

from deploy.local.refusals import StackRefused
from deploy.local.stack import LocalStack, StackOptions
from tests.integration.deploy.conftest import StartStack


async def test_an_engine_that_does_not_answer_is_refused_before_anything_starts(
    folder: Path,
) -> None:
    options = StackOptions(data_dir=folder, engine_url="http://127.0.0.1:9")
    started: list[str] = []
    stack = LocalStack(options, on_progress=lambda name, _state: started.append(name))
    with pytest.raises(StackRefused, match="--engine-url"):
        await stack.start()
    assert started == []


async def test_both_tiers_use_the_engine_from_outside(
    start_stack: StartStack, folder: Path
) -> None:
    outside = start_stack("engine-batch").wait_ready()["engines"]["batch"]
    options = StackOptions(
        data_dir=folder.with_name("second"),
        engine_url=outside,
        only=frozenset({"smtp", "engine-realtime", "engine-batch"}),
    )
    stack = LocalStack(options)
    ready = await stack.start()
    try:
        assert (ready.engines.realtime, ready.engines.batch) == (outside, outside)
        assert set(ready.pids) == {"smtp"}
        assert set(ready.health) == set()
    finally:
        await stack.stop()


async def test_an_unknown_model_is_refused_with_those_there_are(
    start_stack: StartStack, folder: Path
) -> None:
    outside = start_stack("engine-batch").wait_ready()["engines"]["batch"]
    options = StackOptions(
        data_dir=folder.with_name("second"), engine_url=outside, engine_model="other"
    )
    with pytest.raises(StackRefused, match="precis-extractive"):
        await LocalStack(options).start()
