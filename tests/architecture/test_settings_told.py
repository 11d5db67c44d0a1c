"""Every setting stands in the table and in the example file, and no other does."""

import re
from collections.abc import Callable, Iterator
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


def _of_page() -> Iterator[tuple[str, str]]:
    """Names and defaults of the tables' lines; some lines tell of two settings."""
    page = (ROOT / "docs/settings.md").read_text()
    for names, defaults in re.findall(
        r"^\| (`PRECIS_[^|]*) \| (`[^|]*) \|", page, re.MULTILINE
    ):
        values = re.findall(r"`([^`]*)`", defaults)
        yield from zip(re.findall(r"PRECIS_[A-Z_]+", names), values, strict=True)


def _of_example() -> Iterator[tuple[str, str]]:
    yield from re.findall(
        r"^#(PRECIS_\w+)=(.+)$", (ROOT / "deploy/example.env").read_text(), re.MULTILINE
    )


@pytest.mark.parametrize("told", [_of_page, _of_example])
def test_the_defaults_that_are_told_are_the_programs(
    told: Callable[[], Iterator[tuple[str, str]]], monkeypatch: pytest.MonkeyPatch
) -> None:
    shown = dict(told())
    for name, value in shown.items():
        monkeypatch.setenv(name, value)
    for name in ("DATABASE_URL", "MASTER_KEY", "KEY_PEPPER"):
        monkeypatch.setenv(PREFIX + name, "x")
    checked = set()
    for service in SERVICES:
        settings = service()
        for name, field in service.model_fields.items():
            variable = (PREFIX + name).upper()
            if variable in shown and field.default not in (None, ()):
                assert getattr(settings, name) == field.default, variable
                checked.add(variable)
    assert len(checked) > 30
