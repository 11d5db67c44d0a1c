"""Faults strike where they were asked for, once, and only in tests."""

import os
import timeit
from collections.abc import Iterator
from pathlib import Path

import pytest

from plumbing.failpoints import HINTS_SENT, JOBS_CLAIMED, arm, reach
from plumbing.settings import ServiceSettings, SettingsRefused, read_settings

POINT = JOBS_CLAIMED


class LineBroke(Exception):
    pass


@pytest.fixture
def folder(tmp_path: Path) -> Iterator[Path]:
    arm(tmp_path)
    yield tmp_path
    arm(None)


def test_a_fault_strikes_at_its_hit_and_never_again(folder: Path) -> None:
    (folder / POINT).write_text("lose_answer 3 first")
    reach(POINT, LineBroke)
    reach(HINTS_SENT, LineBroke)
    reach(POINT, LineBroke)
    with pytest.raises(LineBroke):
        reach(POINT, LineBroke)
    reach(POINT, LineBroke)
    assert [path.name for path in folder.iterdir()] == [f"{POINT}.{os.getpid()}"]


def test_hits_are_counted_anew_for_each_fault(folder: Path) -> None:
    (folder / POINT).write_text("lose_answer 2 first")
    reach(POINT, LineBroke)
    (folder / POINT).write_text("lose_answer 2 second")
    reach(POINT, LineBroke)
    with pytest.raises(LineBroke):
        reach(POINT, LineBroke)


def test_unarmed_points_ask_nobody(folder: Path) -> None:
    (folder / POINT).write_text("lose_answer 1 first")
    arm(None)
    reach(POINT, LineBroke)


def test_an_unarmed_point_costs_next_to_nothing() -> None:
    # The best of many: what else the machine does must not count.
    rounds = timeit.repeat(lambda: reach(POINT, LineBroke), number=1000, repeat=50)
    assert min(rounds) / 1000 < 500e-9


def test_no_setting_of_production_arms_them(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PRECIS_FAILPOINTS", str(folder))
    for environment in ("", "production", "staging"):
        monkeypatch.setenv("PRECIS_ENVIRONMENT", environment)
        with pytest.raises(SettingsRefused, match=r"PRECIS_FAILPOINTS.*=test"):
            read_settings(ServiceSettings)
    monkeypatch.setenv("PRECIS_ENVIRONMENT", "test")
    assert read_settings(ServiceSettings).failpoints == folder
