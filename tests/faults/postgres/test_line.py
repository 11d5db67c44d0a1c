"""The lines from all of our processes to Postgres are cut, stand still, break, are slow.

A gateway and the whole batch tier, each process by its own line. Customers order all the
while, with keys, and jobs are in the workers' hands. When the lines are back nobody is
helped: the judge of the chaos runs has to find nothing.
"""

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Final
from uuid import UUID, uuid4

import pytest

from tests.builders import rows
from tests.faults.front import (
    HEALED,
    WHEN_FROZEN,
    WHEN_REFUSED,
    Front,
    a_caller,
    check_refused,
)
from tests.faults.postgres.customers import Customers
from tests.faults.proxy import Flow, Proxy
from tests.faults.tier import Tier
from tests.fixtures.database import login_url
from tests.fixtures.processes import Processes
from tests.waiting import until

_WAITING: Final = """
SELECT 1 FROM pg_stat_activity WHERE datname = current_database()
AND application_name = 'precis-gateway' AND wait_event_type = 'Lock'
"""


@dataclass
class House:
    """Everything between customers and Postgres."""

    tier: Tier
    customers: Customers
    door: Proxy
    """The gateway's line."""
    lines: list[Proxy] = field(default_factory=list)
    """All of them."""

    async def refuse(self) -> None:
        for line in self.lines:
            await line.refuse()

    async def accept(self) -> None:
        for line in self.lines:
            await line.accept()

    async def reset(self) -> None:
        for line in self.lines:
            await line.reset()

    async def hold(self) -> None:
        for line in self.lines:
            line.fault(Flow.HOLD)

    async def lose(self) -> None:
        for line in self.lines:
            line.fault(Flow.LOSE)

    async def heal(self) -> None:
        for line in self.lines:
            line.heal()

    async def heal_and_reset(self) -> None:
        """As a network does with connections whose other end it has forgotten."""
        await self.heal()
        await self.reset()

    async def count_jobs(self) -> int:
        found = await rows(self.tier.database, "SELECT count(*) FROM job")
        return int(found[0][0])

    async def find_jobs(self, keys: Sequence[str]) -> set[UUID]:
        """Those that were stored for any of these orders."""
        marked = "SELECT job_id FROM job_metadata WHERE value = ANY(:keys)"
        found = await rows(self.tier.database, marked, keys=list(keys))
        return {each.job_id for each in found}

    @asynccontextmanager
    async def storing_held_up(self) -> AsyncIterator[None]:
        """Statements that store jobs wait for a lock of the test's."""
        async with self.tier.database.transaction() as tx:
            await tx.exec_driver_sql("LOCK TABLE lane IN EXCLUSIVE MODE")
            yield

    async def is_storing(self) -> bool:
        """Whether a statement of the gateway's waits for it."""
        return bool(await rows(self.tier.database, _WAITING))


@pytest.fixture
async def house(tier: Tier, processes: Processes) -> AsyncIterator[House]:
    async with Proxy.before(tier.database_url) as door:
        front = await Front(
            processes,
            door.url(login_url(tier.database_url, "gateway")),
            webhook_allow_networks="127.0.0.1/32",
        ).ready()
        async with a_caller(front.url, tier.tenant) as caller:
            house = House(tier, Customers(caller, tier), door)
            others = (name for name in tier.lines if name.startswith("postgres"))
            house.lines = [door, *(tier.lines[name] for name in others)]
            yield house


Deed = Callable[[House], Awaitable[None]]
# How the lines go, how they come back, and how soon customers are told meanwhile. What a
# line held back arrives after all, when nobody waits for it any more.
CUTS: Final[dict[str, tuple[Deed, Deed, float]]] = {
    "refused": (House.refuse, House.accept, WHEN_REFUSED),
    "held": (House.hold, House.heal, WHEN_FROZEN),
    "swallowed": (House.lose, House.heal_and_reset, WHEN_FROZEN),
}


@pytest.mark.parametrize("way", CUTS)
async def test_fault_postgres_net(house: House, way: str) -> None:
    """Cut for longer than leases last: refused in time, nothing stored, all comes back."""
    cut, mend, told_within = CUTS[way]
    tier, customers = house.tier, house.customers
    tier.gate.clear()
    held = await customers.order_many(3)
    await tier.wait_asked(len(held))
    before = await house.count_jobs()
    await cut(house)
    orders = [asyncio.create_task(customers.order()) for _ in range(10)]
    await tier.wait_for_lease()

    async def are_turned_away() -> bool:
        return len(customers.turned_away) >= 2 * len(orders)

    await until(are_turned_away)
    check_refused(customers.turned_away, within=told_within)
    assert await house.count_jobs() == before
    # Who worked all the while has something to write that nobody wants from him.
    tier.gate.set()
    await mend(house)
    async with asyncio.timeout(HEALED):
        jobs = await asyncio.gather(*orders)
        jobs += await customers.order_many(3)
    check_refused(customers.turned_away, within=told_within)
    await tier.settle(held, attempts=2)
    await tier.settle(jobs)


async def test_fault_postgres_net_breaks_again_and_again(house: House) -> None:
    """Reset in the middle of everything: at most one attempt of a job is lost by it."""
    tier, customers = house.tier, house.customers
    jobs = await customers.order_many(3)
    async with asyncio.timeout(HEALED):
        for _ in range(5):
            orders = [asyncio.create_task(customers.order()) for _ in range(4)]
            await asyncio.wait(orders, return_when=asyncio.FIRST_COMPLETED)
            await house.reset()
            jobs += await asyncio.gather(*orders)
    if customers.turned_away:
        check_refused(customers.turned_away, within=WHEN_REFUSED)
    await tier.settle(jobs, attempts=2)


async def test_fault_postgres_net_is_long(house: House) -> None:
    """As to another part of the world: who is slow from so far is not taken for dead."""
    customers = house.customers
    for line in house.lines:
        line.latency = 0.04
    async with house.storing_held_up():
        orders = asyncio.create_task(customers.order_many(30))
        await until(house.is_storing)
        end = time.monotonic() + WHEN_FROZEN
        while time.monotonic() < end:
            assert not customers.turned_away
            await asyncio.sleep(0.1)
    async with asyncio.timeout(HEALED):
        jobs = await orders
    assert not customers.turned_away
    await house.tier.settle(jobs)


async def test_fault_postgres_net_loses_the_answer_of_a_commit(house: House) -> None:
    """Stored, and nobody was told so: the repeat gets the job that there is."""
    customers, keys = house.customers, [uuid4().hex for _ in range(20)]
    async with house.storing_held_up():
        orders = [asyncio.create_task(customers.send(key)) for key in keys]
        await until(house.is_storing)
        house.door.answers = Flow.LOSE
    check_refused(await asyncio.gather(*orders), within=WHEN_FROZEN)
    stored = await house.find_jobs(keys)
    assert stored
    house.door.heal()
    async with asyncio.timeout(HEALED):
        jobs = await asyncio.gather(*(customers.order(key) for key in keys))
    assert stored <= set(jobs)
    assert await house.find_jobs(keys) == set(jobs)
    assert len(set(jobs)) == len(keys)
    await house.tier.settle(jobs)
