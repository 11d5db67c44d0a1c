"""A data folder that Postgres may enter, and stacks that are ended after each test."""

import shutil
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.integration.deploy.stack_process import StackProcess

StartStack = Callable[..., StackProcess]


@pytest.fixture
def folder() -> Iterator[Path]:
    # Not pytest's own: it lets nobody else in, and root's Postgres is somebody else.
    root = Path(tempfile.mkdtemp(prefix="precis-stack-", dir="/var/tmp"))
    root.chmod(0o711)
    yield root / "data"
    shutil.rmtree(root)


@pytest.fixture
def start_stack(folder: Path) -> Iterator[StartStack]:
    started: list[StackProcess] = []

    def start(*parts: str) -> StackProcess:
        started.append(StackProcess(folder, *parts))
        return started[-1]

    yield start
    for stack in started:
        stack.end()
