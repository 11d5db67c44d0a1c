"""A worker sleeps, dies of a job, loses Postgres, has no disk, waits for a slow engine.

What it holds goes to another one when its lease is over, and what it writes afterwards
is refused. Kills, stops and bad messages are proven beside the batch tier's own tests.
"""

import asyncio
import os
import signal
from pathlib import Path

from plumbing.failpoints import JOBS_CLAIMED, Action
from tests.builders import rows
from tests.faults.failpoints.stack import LEASE_SECONDS
from tests.faults.tier import KINDS, MANY_CHUNKS, Tier
from tests.fixtures.processes import Process
from tests.waiting import until


async def holder_of(tier: Tier, job: object) -> Process:
    [(pid,)] = await rows(
        tier.database,
        "SELECT split_part(worker_id, ':', 2) FROM job WHERE id = :id",
        id=job,
    )
    return next(each for each in tier.running["worker"] if str(each.pid) == pid)


async def test_fault_worker_stop(tier: Tier) -> None:
    """Asleep for longer than its lease; awake, it is refused and lets go."""
    tier.gate.clear()
    jobs = await tier.take(1, MANY_CHUNKS)
    await tier.wait_asked()
    sleeper = await holder_of(tier, jobs[0])
    sleeper.send_signal(signal.SIGSTOP)
    await tier.wait_taken_over(jobs, victim=sleeper)
    await tier.wake(sleeper, finds_refused=True)
    tier.gate.set()
    await tier.settle(jobs, attempts=2)


async def test_fault_worker_rst(tier: Tier) -> None:
    """A job that kills whoever claims it ends as failed after five of them."""
    tier.arm(JOBS_CLAIMED, Action.KILL)
    (poison,) = await tier.take(1)
    for left in range(4, -1, -1):
        victim = await tier.struck(JOBS_CLAIMED)
        if left:
            tier.arm(JOBS_CLAIMED, Action.KILL)
        await tier.replace("worker", victim)
    await tier.settle([poison], state="failed", attempts=5)
    [told] = await rows(
        tier.database,
        "SELECT error_code, attempt FROM job WHERE id = :id",
        id=poison,
    )
    assert told == ("worker_lost", 5)
    await tier.settle(await tier.take())


async def test_fault_worker_net(tier: Tier) -> None:
    """Cut off from Postgres until its leases are over: it stops the engine's work."""
    tier.gate.clear()
    jobs = await tier.take(1, MANY_CHUNKS)
    await tier.wait_asked()
    line = tier.lines["postgres-worker"]
    await line.refuse()

    async def has_let_go() -> bool:
        return tier.engine.open_calls == 0

    await until(has_let_go, seconds=3 * LEASE_SECONDS, what="it works for nothing")
    await line.accept()
    tier.gate.set()
    await tier.settle(jobs, attempts=2)


async def test_fault_worker_disk(tier: Tier, tmp_path: Path) -> None:
    """No room for its log is no reason to stop, and it makes no other files."""
    for each in tier.running["worker"]:
        await asyncio.to_thread(each.stop)
    told = tier.told("worker") | {"TMPDIR": str(tmp_path)}
    only = Process(KINDS["worker"], environment=told, log=Path("/dev/full"))
    try:
        await tier.settle(await tier.take(text=MANY_CHUNKS))
        assert os.listdir(tmp_path) == []  # noqa: PTH208 - in one short look
    finally:
        # 120 is Python's own word for a log that it could not flush.
        assert await asyncio.to_thread(only.stop) in {0, 120}


async def test_fault_worker_slow(tier: Tier) -> None:
    """Who works for three leases, and is slow to say so, is not dead."""
    tier.lines["postgres-worker"].latency = 0.05
    tier.gate.clear()
    jobs = await tier.take()
    await tier.wait_asked(len(jobs))
    for _ in range(3):
        await tier.wait_for_lease()
    tier.gate.set()
    await tier.settle(jobs)
