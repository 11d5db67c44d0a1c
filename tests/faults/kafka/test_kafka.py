"""Kafka is killed, stopped, frozen, cut off, slow, full: acceptance goes on, none is lost.

Hints wait in the outbox until Kafka takes them; the jobs do not wait for it, because
the reconciler wakes workers without it. What Kafka takes afterwards is sent once.
"""

from collections.abc import Awaitable, Callable

from tests.faults.proxy import Flow
from tests.faults.tier import Tier, measure
from tests.waiting import until


async def count_relayed(tier: Tier) -> float:
    relayed = "precis_hints_relayed_total"
    return sum([await measure(each, relayed) for each in tier.running["dispatcher"]])


async def goes_on_without_kafka(
    tier: Tier, *, end: Callable[[], Awaitable[None]]
) -> None:
    """Accepted while it is away, done while it is away; `end` brings it back."""
    relayed = await count_relayed(tier)
    jobs = await tier.take(5)
    await tier.wait_states(jobs, "succeeded")
    assert await tier.count_unsent(jobs) == len(jobs)
    await end()
    await tier.wait_sent(jobs)
    await tier.settle(jobs)
    # What was given up half-way may be sent twice, and never more often.
    assert len(jobs) <= await count_relayed(tier) - relayed <= 2 * len(jobs)


async def test_fault_kafka_k9(tier: Tier) -> None:
    before = await tier.take()
    await tier.kafka.kill()
    await goes_on_without_kafka(tier, end=tier.kafka.start)
    await tier.settle(before)


async def test_fault_kafka_term(tier: Tier) -> None:
    before = await tier.take()
    await tier.kafka.stop()
    await goes_on_without_kafka(tier, end=tier.kafka.start)
    await tier.settle(before)


async def test_fault_kafka_stop(tier: Tier) -> None:
    async def thaw() -> None:
        freeze.__exit__(None, None, None)

    freeze = tier.kafka.frozen()
    freeze.__enter__()
    try:
        await goes_on_without_kafka(tier, end=thaw)
    finally:
        await tier.kafka.restore()


async def test_fault_kafka_rst(tier: Tier) -> None:
    """Down again as soon as it is up: hints go out in between or afterwards."""
    jobs = []
    for _ in range(2):
        await tier.kafka.kill()
        jobs += await tier.take()
        await tier.kafka.start()
        jobs += await tier.take()
    await tier.wait_sent(jobs)
    await tier.settle(jobs)


async def test_fault_kafka_net(tier: Tier) -> None:
    """The cable is pulled, then the port is closed: both ways nothing arrives."""
    line = tier.lines["kafka"]

    async def mend() -> None:
        line.heal()
        await line.reset()

    line.fault(Flow.LOSE)
    await goes_on_without_kafka(tier, end=mend)
    await line.refuse()
    await goes_on_without_kafka(tier, end=line.accept)


async def test_fault_kafka_disk(tier: Tier) -> None:
    """It ends itself when its files cannot grow, and is started again with room."""
    with tier.kafka.without_room():
        jobs = await tier.take()
        await tier.wait_states(jobs, "succeeded")
        assert await tier.count_unsent(jobs) == len(jobs)
        await until(tier.kafka.has_ended, what="Kafka goes on without a disk")
    await tier.kafka.restore()
    await tier.wait_sent(jobs)
    await tier.settle([*jobs, *await tier.take()])


async def test_fault_kafka_slow(tier: Tier) -> None:
    """Hints take longer on their way, and nothing else happens."""
    tier.lines["kafka"].latency = 0.1
    await tier.settle(await tier.take(20))
