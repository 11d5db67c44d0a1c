"""Processes whose clock is an hour off work as any other: only Postgres's clock counts.

One worker and dispatcher live an hour ahead, the others an hour behind. A small library
that is loaded before the C library shifts their time of day; it is compiled here, so
without a C compiler the test is skipped.
"""

import asyncio
import json
import shutil
import subprocess
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Final

import pytest

from tests.builders import rows
from tests.faults.failpoints.stack import LEASE_SECONDS
from tests.faults.tier import KINDS, Tier
from tests.fixtures.processes import Process

_SOURCE: Final = Path(__file__).with_name("wrong_clock.c")
HOUR: Final = 3600


@pytest.fixture
def wrong_clock(tmp_path: Path) -> Path:
    compiler = shutil.which("cc")
    if compiler is None:
        pytest.skip("needs a C compiler")
    library = tmp_path / "wrong_clock.so"
    subprocess.run(
        [compiler, "-shared", "-fPIC", "-o", library, _SOURCE, "-ldl"], check=True
    )
    return library


@pytest.fixture
async def astray(
    kept_tier: Tier, wrong_clock: Path, tmp_path: Path
) -> AsyncIterator[list[Process]]:
    """In place of the tier's workers and dispatchers, two of each with wrong clocks."""
    await kept_tier.heal()
    for kind in ("worker", "dispatcher"):
        for each in kept_tier.running[kind]:
            await asyncio.to_thread(each.stop)
    started = [
        Process(
            KINDS[kind],
            environment=kept_tier.told(kind)
            | {"LD_PRELOAD": str(wrong_clock), "WRONG_CLOCK": str(offset)},
            log=tmp_path / f"{kind}{offset}.log",
        )
        for kind in ("worker", "dispatcher")
        for offset in (HOUR, -HOUR)
    ]
    yield started
    for each in started:
        await asyncio.to_thread(each.stop)


def hours_off(process: Process) -> int:
    """By the time that the process writes into its own log."""
    line = json.loads(process.log.read_text().splitlines()[-1])
    off = datetime.fromisoformat(line["timestamp"]) - datetime.now(UTC)
    return round(off / timedelta(hours=1))


async def test_fault_clock(kept_tier: Tier, astray: list[Process]) -> None:
    for each in astray:
        await asyncio.to_thread(each.wait_ready)
    # Dispatchers have nothing to say at their start.
    assert [hours_off(each) for each in astray[:2]] == [1, -1]
    kept_tier.gate.clear()
    jobs = await kept_tier.take(6)
    await kept_tier.wait_asked()
    leases = await rows(
        kept_tier.database,
        "SELECT extract(epoch FROM lease_until - clock_timestamp()) FROM job"
        " WHERE state = 'running'",
    )
    assert leases
    assert all(0 < lease <= LEASE_SECONDS for (lease,) in leases)
    for _ in range(2):
        await kept_tier.wait_for_lease()
    kept_tier.gate.set()
    await kept_tier.settle(jobs)
    # No lease lapsed, or an attempt would be gone; the end is when Postgres says it was.
    ends = await rows(
        kept_tier.database,
        "SELECT DISTINCT finished_at > clock_timestamp() - interval '1 min'"
        " AND finished_at <= clock_timestamp() FROM job WHERE id = ANY(:ids)",
        ids=jobs,
    )
    assert ends == [(True,)]
