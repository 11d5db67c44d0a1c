"""The broker is killed, emptied, stopped, frozen, restarted, slow: no job is lost.

Its messages are hints; what it loses the reconciler replaces.
"""

from tests.faults.tier import Tier

LONGEST = 20.0


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
    before = [each.pid for each in tier.running["worker"]]
    jobs = []
    for _ in range(20):
        await tier.valkey.kill()
        jobs += await tier.take(1)
        await tier.valkey.start()
    await tier.settle(jobs, within=LONGEST)
    assert [each.pid for each in tier.running["worker"]] == before


async def test_fault_redis_slow(tier: Tier) -> None:
    tier.lines["valkey"].latency = 0.05
    await tier.settle(await tier.take(10), within=LONGEST)
