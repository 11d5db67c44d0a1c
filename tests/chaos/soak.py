"""The long quiet run: half the load that the stack can bear, and what memory does.

No fault strikes. The speed that counts as full is measured first; then the memory of
each process is sampled, and a line is laid through the samples.
"""

import asyncio
import time
from collections.abc import Callable, Mapping
from dataclasses import replace
from statistics import linear_regression, median
from typing import Any, Final

from deploy.local.memory import measure_pss
from tests.chaos.client import Habits
from tests.chaos.plan import Plan
from tests.chaos.run import Course, Outcome, run
from tests.chaos.stack import Stack

_SAMPLE_SECONDS: Final = 5.0
_FULL_JOBS: Final = 300
_FULL_SECONDS: Final = 5.0
_SETTLING: Final = 0.25
"""The first part of the samples: caches fill, code is loaded."""
MOST_GROWTH: Final = 0.05
_MIB: Final = 2**20
Samples = list[tuple[float, Mapping[str, int]]]


async def soak(
    *, minutes: float, seed: int, say: Callable[[str], None]
) -> tuple[dict[str, Any], bool]:
    """The result for the file, and whether nothing grew and nothing was lost."""
    quiet = Plan(seed=seed, faults=(), habits=Habits(hasty=0.0))
    full = await run(replace(quiet, jobs=_FULL_JOBS, seconds=_FULL_SECONDS))
    rate = _FULL_JOBS / (_FULL_SECONDS + full.durations["drain"])
    say(f"full load is {rate:.1f} jobs a second; half of it for {minutes:g} minutes")
    samples: Samples = []
    seconds = minutes * 60
    plan = replace(quiet, jobs=round(rate / 2 * seconds), seconds=seconds)
    outcome = await run(plan, beside=_sampler(samples))
    growth = {name: _growth(samples, name) for name in samples[0][1]}
    for name, each in growth.items():
        say(f"{name:14} {each['mib']:8.1f} MiB, {each['percent']:+.1f} % in the run")
    for line in outcome.report.lines():
        say(line)
    is_good = outcome.report.is_good and not _grown(growth)
    return _told(outcome, growth, rate=rate, samples=samples), is_good


def _sampler(samples: Samples) -> Course:
    async def sample(stack: Stack) -> None:
        while True:
            pids = {
                name: child.pid
                for name, child in stack.keeper.children.items()
                if child.pid is not None
            }
            taken = await asyncio.to_thread(measure_pss, pids)
            samples.append((time.monotonic(), taken))
            await asyncio.sleep(_SAMPLE_SECONDS)

    return sample


def _growth(samples: Samples, name: str) -> dict[str, float]:
    """By a straight line through the samples after the settling."""
    settled = samples[int(len(samples) * _SETTLING) :]
    times = [at for at, _ in settled]
    sizes = [float(taken[name]) for _, taken in settled]
    slope = linear_regression(times, sizes).slope if len(settled) > 1 else 0.0
    middle = median(sizes)
    return {
        "mib": round(middle / _MIB, 2),
        "mib_per_hour": round(slope * 3600 / _MIB, 2),
        "percent": round(100 * slope * (times[-1] - times[0]) / middle, 2),
    }


def _grown(growth: Mapping[str, Mapping[str, float]]) -> bool:
    return any(each["percent"] > MOST_GROWTH * 100 for each in growth.values())


def _told(
    outcome: Outcome,
    growth: Mapping[str, Any],
    *,
    rate: float,
    samples: Samples,
) -> dict[str, Any]:
    began = samples[0][0]
    return {
        **outcome.as_json(),
        "full_load_jobs_per_second": round(rate, 1),
        "growth": growth,
        "pss_bytes": [
            {"second": round(at - began, 1), **taken} for at, taken in samples
        ],
    }
