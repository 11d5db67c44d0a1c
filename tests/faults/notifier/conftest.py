"""A receiver and a relay that the tests break."""

from collections.abc import AsyncIterator

import pytest

from tests.integration.notifier.receivers import Receiver
from tests.integration.notifier.relay import ScriptedRelay

SHORT = {"PRECIS_DELIVERY_LEASE": "2"}
"""A webhook may take one second, a mail two."""


@pytest.fixture
async def receiver() -> AsyncIterator[Receiver]:
    async with Receiver() as started:
        yield started


@pytest.fixture
async def relay() -> AsyncIterator[ScriptedRelay]:
    async with ScriptedRelay() as started:
        yield started
