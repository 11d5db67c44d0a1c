"""One of two dispatchers dies, stops, sleeps, loses Postgres, has no disk, is slow.

They share nothing but Postgres and Kafka, and which of them holds the locks is not to
be seen from outside: so each fault strikes one and then the other.
"""

import asyncio
import signal
from pathlib import Path

from tests.faults.tier import KINDS, Tier, measure
from tests.fixtures.processes import Process

TAKEN_OVER = 10.0
# A sleeper keeps its locks until Postgres ends its sessions.
SLEEPER_GIVEN_UP = 20.0


async def test_fault_dispatcher_k9(tier: Tier) -> None:
    for victim in list(tier.running["dispatcher"]):
        jobs = await tier.take()
        victim.send_signal(signal.SIGKILL)
        jobs += await tier.take()
        await tier.settle(jobs, within=TAKEN_OVER)
        await tier.replace("dispatcher", victim)


async def test_fault_dispatcher_term(tier: Tier) -> None:
    for victim in list(tier.running["dispatcher"]):
        jobs = await tier.take(10)
        assert await asyncio.to_thread(victim.stop) == 0
        jobs += await tier.take()
        await tier.settle(jobs, within=TAKEN_OVER)
        await tier.replace("dispatcher", victim)


async def test_fault_dispatcher_stop(tier: Tier) -> None:
    """Asleep with the locks that it holds: the other one gets them, and goes on."""
    sleeper = await relaying(tier)
    jobs = await tier.take()
    sleeper.send_signal(signal.SIGSTOP)
    try:
        jobs += await tier.take()
        await tier.settle(jobs, within=SLEEPER_GIVEN_UP)
    finally:
        sleeper.send_signal(signal.SIGCONT)
    await tier.settle(await tier.take(), within=TAKEN_OVER)


async def relaying(tier: Tier) -> Process:
    """The dispatcher by whose hands hints go to Kafka now."""
    relayed = "precis_hints_relayed_total"
    both = tier.running["dispatcher"]
    before = [await measure(each, relayed) for each in both]
    await tier.settle(await tier.take())
    after = [await measure(each, relayed) for each in both]
    gained = [late - early for early, late in zip(before, after, strict=True)]
    return both[gained.index(max(gained))]


async def test_fault_dispatcher_rst(tier: Tier) -> None:
    jobs = []
    for _ in range(2):
        for victim in list(tier.running["dispatcher"]):
            victim.send_signal(signal.SIGKILL)
            jobs += await tier.take()
            await tier.replace("dispatcher", victim)
    await tier.settle(jobs, within=TAKEN_OVER)


async def test_fault_dispatcher_net(tier: Tier) -> None:
    """Both are cut off from Postgres: sessions end, and then there are none."""
    line = tier.lines["postgres-dispatcher"]
    jobs = await tier.take()
    await line.reset()
    await tier.settle(jobs, within=TAKEN_OVER)
    await line.refuse()
    jobs = await tier.take()
    await tier.wait_noticed("dispatcher")
    await line.accept()
    await tier.settle(jobs, within=TAKEN_OVER)


async def test_fault_dispatcher_disk(tier: Tier) -> None:
    """No room for its log is no reason to stop."""
    for each in tier.running["dispatcher"]:
        await asyncio.to_thread(each.stop)
    told = tier.told("dispatcher")
    only = Process(KINDS["dispatcher"], environment=told, log=Path("/dev/full"))
    try:
        await tier.settle(await tier.take(), within=TAKEN_OVER)
    finally:
        # 120 is Python's own word for a log that it could not flush.
        assert await asyncio.to_thread(only.stop) in {0, 120}


async def test_fault_dispatcher_slow(tier: Tier) -> None:
    """Postgres takes ten times as long to answer it: later, and nothing else."""
    tier.lines["postgres-dispatcher"].latency = 0.1
    await tier.settle(await tier.take(20), within=TAKEN_OVER)
