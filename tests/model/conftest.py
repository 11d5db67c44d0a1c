"""A stage on a database of its own, for one test."""

from collections.abc import Iterator

import pytest

from tests.model.machine import Stage


@pytest.fixture
def stage(database_url: str) -> Iterator[Stage]:
    opened = Stage(database_url)
    yield opened
    opened.close()
