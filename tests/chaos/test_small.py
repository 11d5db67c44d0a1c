"""The small form: the whole stack under all faults for half a minute, then the judge.

Also what has to hold before anybody relies on a run: the mutants fit the source as it
is now, and faults that would harm others are refused.
"""

import os
from pathlib import Path

import pytest

from tests.chaos.mutants import MUTANTS, environment_of, misfits
from tests.chaos.plan import Plan, require_disk
from tests.chaos.run import run
from tests.chaos.small_disk import DiskRefused, SmallDisk

SEED = int(os.environ.get("CHAOS_SEED", "20"))


@pytest.mark.timeout(180)
async def test_nothing_is_lost_and_nothing_is_double_under_a_fault_a_second() -> None:
    outcome = await run(Plan(jobs=100, seconds=22, seed=SEED, drain_seconds=60))
    outcome.report.require()
    assert outcome.report.figures["acknowledged"] >= 90
    assert sum(outcome.faults.values()) >= 20


def test_every_mutant_fits_the_source() -> None:
    assert misfits() == []


def test_a_mutant_is_told_to_nobody_else() -> None:
    assert environment_of(None) == {}
    assert all("PYTHONPATH" in environment_of(name) for name in MUTANTS)


def test_a_full_disk_needs_a_file_system_of_its_own(tmp_path: Path) -> None:
    with pytest.raises(DiskRefused, match="--small-fs"):
        require_disk(Plan(faults=("disk",)))
    with pytest.raises(DiskRefused, match="file system of its own"):
        SmallDisk(tmp_path)
