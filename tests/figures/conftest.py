"""Opens the batch tier of a figure on the session's real servers."""

from collections.abc import Callable
from contextlib import AbstractAsyncContextManager
from functools import partial
from pathlib import Path

import pytest

from plumbing.database import Database
from tests.figures.paced_engine import PacedEngine
from tests.figures.tier import Shape, Tier, open_tier

OpenTier = Callable[[PacedEngine, Shape], AbstractAsyncContextManager[Tier]]


@pytest.fixture
def batch_tier(
    database: Database,
    database_url: str,
    valkey_url: str,
    kafka_bootstrap: str,
    tmp_path: Path,
) -> OpenTier:
    return partial(
        open_tier,
        database=database,
        database_url=database_url,
        valkey_url=valkey_url,
        kafka_bootstrap=kafka_bootstrap,
        folder=tmp_path,
    )
