"""Every setting stands in the table and in the example file, and no other does."""

import re
from pathlib import Path

import pytest

from gateway.settings import GatewaySettings
from notifier.settings import NotifierSettings
from plumbing.settings import PREFIX, ServiceSettings
from realtime.engine.settings import EmbeddedEngineSettings
from workers.batch.settings import WorkerSettings
from workers.dispatcher.settings import DispatcherSettings

ROOT = Path(__file__).resolve().parents[2]
SERVICES: tuple[type[ServiceSettings], ...] = (
    GatewaySettings,
    DispatcherSettings,
    WorkerSettings,
    NotifierSettings,
    EmbeddedEngineSettings,
)
NAMES = {
    (PREFIX + name).upper() for service in SERVICES for name in service.model_fields
}
OF_TOOLS = {"PRECIS_URL", "PRECIS_API_KEY", "PRECIS_CACHE_DIR", "PRECIS_ACTOR"}


@pytest.mark.parametrize("told", ["docs/settings.md", "deploy/example.env"])
def test_every_setting_is_told(told: str) -> None:
    found = set(re.findall(r"\bPRECIS_[A-Z_]+\b", (ROOT / told).read_text()))
    assert found - OF_TOOLS == NAMES


def test_the_example_file_is_read_as_it_is(monkeypatch: pytest.MonkeyPatch) -> None:
    for line in (ROOT / "deploy/example.env").read_text().splitlines():
        if line and not line.startswith("#"):
            monkeypatch.setenv(*line.split("=", 1))
    monkeypatch.setenv("PRECIS_MASTER_KEY", "x")
    monkeypatch.setenv("PRECIS_KEY_PEPPER", "x")
    for service in SERVICES:
        service()
