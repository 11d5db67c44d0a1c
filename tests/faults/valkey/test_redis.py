"""The broker is killed, emptied, cut off, full, slow, talks nonsense: no job is lost.

Its messages are hints; what it loses the reconciler replaces. The workers outlive all of
it: none of them has to be started anew.
"""

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager

import pytest
from redis.asyncio import Redis

from tests.faults.proxy import Flow
from tests.faults.tier import Tier

LONGEST = 20.0
# What a worker writes each time that it has tried to come back in vain.
NO_BROKER = "consumer: Cannot connect"


async def test_fault_redis_k9(tier: Tier) -> None:
    """Killed with everything that it held: jobs under way and jobs that come."""
    tier.gate.clear()  # jobs stay in the workers' hands
    jobs = await tier.take()
    await tier.wait_asked()
    await tier.valkey.kill()
    tier.valkey.empty("appendonlydir")
    jobs += await tier.take()
    await tier.valkey.start()
    tier.gate.set()
    await tier.settle(jobs, within=LONGEST)


async def test_fault_redis_term(tier: Tier) -> None:
    await tier.valkey.stop()
    jobs = await tier.take()
    await tier.valkey.start()
    await tier.settle(jobs, within=LONGEST)


async def test_fault_redis_stop(tier: Tier) -> None:
    """Frozen for longer than the clients wait for it: they come back by themselves."""
    jobs = await tier.take()
    with tier.valkey.frozen():
        jobs += await tier.take()
        await tier.wait_noticed("dispatcher")
    await tier.settle(jobs, within=LONGEST)


async def test_fault_redis_rst(tier: Tier) -> None:
    """Twenty restarts under load: the workers go on without anybody's help."""
    jobs = []
    for _ in range(20):
        await tier.valkey.kill()
        jobs += await tier.take(1)
        await tier.valkey.start()
    await tier.settle(jobs, within=LONGEST)
    assert not tier.find_ended("worker")


@pytest.mark.parametrize("way", ["refused", "reset", "half-open"])
async def test_fault_redis_net(tier: Tier, way: str) -> None:
    """Half-open, the workers' connections stay so: nobody tells them, nobody helps."""
    line = tier.lines["valkey"]
    tier.gate.clear()  # jobs stay in the workers' hands
    jobs = await tier.take()
    await tier.wait_asked()
    if way == "reset":
        for _ in range(10):
            jobs += await tier.take(1)
            await line.reset()
    else:
        if way == "refused":
            await line.refuse()
        else:
            line.fault(Flow.LOSE)
        jobs += await tier.take()
        await tier.wait_noticed("dispatcher")
    tier.gate.set()
    line.heal()
    await line.accept()
    await tier.settle(jobs, within=LONGEST)
    assert not tier.find_ended("worker")


async def set_most_memory(tier: Tier, bytes_: int) -> None:
    async with Redis.from_url(tier.environment["PRECIS_REDIS_URL"]) as valkey:
        await valkey.config_set("maxmemory", bytes_)


@asynccontextmanager
async def without_memory(tier: Tier) -> AsyncIterator[None]:
    await set_most_memory(tier, 1)
    try:
        yield
    finally:
        await set_most_memory(tier, 0)


@pytest.mark.parametrize("lacking", ["disk", "memory"])
async def test_fault_redis_disk(tier: Tier, lacking: str) -> None:
    """Its file cannot grow, or it may hold nothing more: every write is refused."""
    tier.gate.clear()
    held = await tier.take()
    await tier.wait_asked(len(held))
    async with AsyncExitStack() as lasting:
        if lacking == "disk":
            lasting.enter_context(tier.valkey.without_room())
        else:
            await lasting.enter_async_context(without_memory(tier))
        jobs = await tier.take()  # their hints are what finds no room
        await tier.wait_noticed("worker", NO_BROKER)
        jobs += (late := await tier.take())
        await tier.wait_noticed("dispatcher")
        await tier.wait_states(late, "queued")
        tier.gate.set()
        # What the workers have in their hands needs no broker.
        await tier.wait_states(held, "succeeded")
    await tier.settle([*held, *jobs], within=LONGEST)
    assert not tier.find_ended("worker")


async def test_fault_redis_garb(tier: Tier) -> None:
    """Whatever it is asked, its answers are random bytes."""
    line = tier.lines["valkey"]
    tier.gate.clear()
    held = await tier.take()
    await tier.wait_asked(len(held))
    line.answers = Flow.GARBLE
    jobs = await tier.take()
    await tier.wait_noticed("worker", NO_BROKER)
    await tier.wait_noticed("dispatcher")
    tier.gate.set()
    await tier.wait_states(held, "succeeded")
    line.heal()
    await tier.settle([*held, *jobs], within=LONGEST)
    assert not tier.find_ended("worker")


async def test_fault_redis_slow(tier: Tier) -> None:
    tier.lines["valkey"].latency = 0.05
    await tier.settle(await tier.take(10), within=LONGEST)
