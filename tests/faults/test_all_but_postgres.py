"""Everything but Postgres is lost at once, or away for long: jobs are late, none is lost.

With leases of two seconds instead of a minute, twenty seconds stand for ten minutes.
"""

import signal

from tests.faults.kafka.test_kafka import count_relayed
from tests.faults.tier import Tier, measure

LEASES_OF_TEN_MINUTES = 10
LONGEST = 20.0


async def count_replaced(tier: Tier) -> float:
    replaced = "precis_hints_replaced_total"
    return sum([await measure(each, replaced) for each in tier.running["dispatcher"]])


async def test_workers_valkey_and_kafka_lost_at_once_delay_jobs_and_lose_none(
    tier: Tier,
) -> None:
    tier.gate.clear()
    jobs = await tier.take(8)
    await tier.wait_asked()
    dead = list(tier.running["worker"])
    for worker in dead:
        worker.send_signal(signal.SIGKILL)
    await tier.valkey.kill()
    await tier.kafka.kill()
    tier.valkey.empty("appendonlydir")
    tier.kafka.empty("data")
    jobs += await tier.take(8)
    await tier.valkey.start()
    await tier.kafka.start()
    await tier.make_topics()
    tier.gate.set()
    for worker in dead:
        await tier.replace("worker", worker)
    jobs += await tier.take(8)
    await tier.settle(jobs, within=LONGEST, attempts=2)
    await tier.wait_sent(jobs)


async def test_a_long_outage_of_valkey_and_kafka_drains_by_itself_without_a_storm(
    tier: Tier,
) -> None:
    # As in production: so long as it takes workers to find the way back is not scaled.
    await tier.tell("dispatcher", PRECIS_HINT_PATIENCE="5")
    await tier.valkey.kill()
    await tier.kafka.kill()
    jobs = []
    for _ in range(LEASES_OF_TEN_MINUTES):
        jobs += await tier.take(10)
        await tier.wait_for_lease()
    await tier.wait_states(jobs, "queued")
    await tier.valkey.start()
    await tier.kafka.start()
    await tier.settle(jobs, within=LONGEST)
    await tier.wait_sent(jobs)
    assert await count_relayed(tier) <= 2 * len(jobs)
    assert await count_replaced(tier) <= 2 * len(jobs)
