"""The broker is killed, emptied, cut off, full, slow, talks nonsense: no job is lost.

Its messages are hints; what it loses the reconciler replaces. The workers outlive all of
it: none of them has to be started anew.
"""

import pytest
from redis.asyncio import Redis

from tests.faults.proxy import Flow
from tests.faults.tier import Tier
from tests.waiting import until

LONGEST = 20.0
# What a worker writes each time that it has tried to come back in vain.
NO_BROKER = "consumer: Cannot connect"


def valkey_of(tier: Tier) -> Redis:
    return Redis.from_url(tier.environment["PRECIS_REDIS_URL"])


async def all_listen(tier: Tier) -> None:
    """Until each of the workers waits for messages, the very ones of the beginning."""

    async def are_blocked() -> bool:
        assert not tier.find_ended("worker")
        async with valkey_of(tier) as valkey:
            clients = await valkey.client_list()
        blocked = sum("b" in each["flags"] for each in clients)
        return blocked == len(tier.running["worker"])

    await until(are_blocked, seconds=LONGEST, what="not all workers listen")


@pytest.fixture
async def listening(tier: Tier) -> Tier:
    """The tier with none of its workers still on the way back from another test."""
    await all_listen(tier)
    return tier


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
    await all_listen(tier)


@pytest.mark.parametrize("way", ["refused", "reset", "half-open"])
async def test_fault_redis_net(listening: Tier, way: str) -> None:
    """Half-open, the workers' connections stay so: nobody tells them, nobody helps."""
    tier, line = listening, listening.lines["valkey"]
    tier.gate.clear()  # jobs stay in the workers' hands
    jobs = await tier.take()
    await tier.wait_asked(len(jobs))
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
    await all_listen(tier)


async def test_fault_redis_disk(listening: Tier) -> None:
    """Its file cannot grow: it refuses every write, and those who would read, too."""
    tier = listening
    tier.gate.clear()
    held = await tier.take()
    await tier.wait_asked(len(held))
    with tier.valkey.without_room():
        jobs = await tier.take()  # their hints are what finds no room
        await tier.wait_noticed("worker", NO_BROKER)
        jobs += (late := await tier.take())
        await tier.wait_noticed("dispatcher")
        await tier.wait_states(late, "queued")
        tier.gate.set()
        # What the workers have in their hands needs no broker.
        await tier.wait_states(held, "succeeded")
    await tier.settle([*held, *jobs], within=LONGEST)
    await all_listen(tier)


async def test_fault_redis_disk_that_is_memory(listening: Tier) -> None:
    """It may hold nothing more: messages are refused, while workers may still ask."""
    tier = listening
    async with valkey_of(tier) as valkey:
        await valkey.config_set("maxmemory", 1)
    try:
        jobs = await tier.take()
        await tier.wait_noticed("dispatcher")
        await tier.wait_states(jobs, "queued")
    finally:
        async with valkey_of(tier) as valkey:
            await valkey.config_set("maxmemory", 0)
    await tier.settle(jobs, within=LONGEST)
    await all_listen(tier)


async def test_fault_redis_garb(listening: Tier) -> None:
    """Whatever it is asked, its answers are random bytes."""
    tier, line = listening, listening.lines["valkey"]
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
    await all_listen(tier)


async def test_fault_redis_slow(tier: Tier) -> None:
    tier.lines["valkey"].latency = 0.05
    await tier.settle(await tier.take(10), within=LONGEST)
