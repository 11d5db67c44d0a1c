"""F8: a job that kills its worker each time ends, and hardly anybody notices."""

import asyncio
import os
import signal
from collections.abc import Sequence
from typing import Any
from uuid import UUID

import pytest

from tests.builders import A_TEXT
from tests.figures.conftest import OpenTier
from tests.figures.paced_engine import PacedEngine
from tests.figures.record import record
from tests.figures.tier import Shape, Tier
from tests.scripted_engine import Call

OTHERS = 1500
SLOTS = 16
USUAL = 400
BEFORE_IT = 60
POISON = "The deadly nightshade is in this text. Nobody reads it to its end alive."
# More jobs in hand than the engine takes at once, as where the GPU is what is scarce.
SHAPE = Shape(workers=4, slots=SLOTS)
_HOLDER = "SELECT split_part(worker_id, ':', 2) AS pid FROM job WHERE id = :id"
_FINISHED = """
SELECT extract(epoch FROM finished_at)::float8 AS at, attempt FROM job
WHERE id = ANY(:ids) ORDER BY finished_at
"""
_ENDED = """
SELECT state, error_code, attempt, extract(epoch FROM finished_at)::float8 AS at
FROM job WHERE id = :id
"""


@pytest.mark.timeout(200)
async def test_f08_a_poison_job_ends_after_five_attempts_and_harms_nobody(
    batch_tier: OpenTier,
) -> None:
    engine = PacedEngine(seconds=0.6, capacity=12)
    async with batch_tier(engine, SHAPE) as tier, tier.kept_up():
        usual = await tier.stack.submit(*[A_TEXT] * USUAL)
        await tier.wait_ended(usual, seconds=60)
        others = await tier.stack.submit(*[A_TEXT] * BEFORE_IT)
        [poison] = await _submit_poison(tier)
        others += await tier.stack.submit(*[A_TEXT] * (OTHERS - BEFORE_IT))
        await tier.wait_ended([poison, *others], seconds=120)
        await tier.stack.wait_quiet([poison, *others])
        tier.stack.judge([poison, *usual, *others])

        [ended] = await tier.ask(_ENDED, id=poison)
        assert (ended.state, ended.error_code) == ("failed", "worker_lost")
        assert ended.attempt == 5
        finished = await tier.ask(_FINISHED, ids=others)
        # What ran beside it in the first two workers that it killed: nobody knew it then.
        burnt = sum(each.attempt - 1 for each in finished)
        assert burnt <= 2 * (SLOTS - 1)
        assert ended.at < finished[int(OTHERS * 0.9)].at, "it outlived the others"
        ratio = _pace(finished) / _pace(await tier.ask(_FINISHED, ids=usual))
    assert ratio >= 0.9, [round(each.at - finished[0].at, 1) for each in finished]
    record(
        figure="F8",
        what="a job that kills its worker each time",
        size=f"{OTHERS:,} jobs beside one poison job, 4 workers",
        result={
            "attempts": ended.attempt,
            "ending": f"{ended.state}/{ended.error_code}",
            "throughput ratio of the others": ratio,
            "attempts burnt of others, at its first two kills": burnt,
        },
        goal="failed/worker_lost after exactly 5 attempts, others at >= 0.9",
        command="make test-faults",
    )


async def _submit_poison(tier: Tier) -> Sequence[UUID]:
    """Whoever asks the engine about it is killed before the answer."""
    at_pace, known = tier.engine.answer, asyncio.Event()

    async def kill_the_reader(call: Call) -> tuple[int, dict[str, Any]]:
        if "nightshade" not in call.text:
            return await at_pace(call)
        await known.wait()
        [(pid,)] = await tier.ask(_HOLDER, id=poison[0])
        os.kill(int(pid), signal.SIGKILL)
        return await asyncio.Future()

    tier.engine.answer = kill_the_reader
    poison = await tier.stack.submit(POISON)
    known.set()
    return poison


def _pace(finished: Sequence[Any]) -> float:
    """Jobs a second, without the start and the tail."""
    first, last = int(len(finished) * 0.1), int(len(finished) * 0.9)
    pace: float = (last - first) / (finished[last].at - finished[first].at)
    return pace
