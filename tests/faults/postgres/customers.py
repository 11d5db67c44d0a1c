"""Customers of the whole batch tier, who repeat an order until it is taken.

Each order has a key of its own and is told to a webhook. What they send and hear is in
the client's journal, so that the judge of the chaos runs knows what was promised; what
they think of the waiting is the test's.
"""

import asyncio
from typing import Any, Final
from uuid import UUID, uuid4

from jobs.ids import SUMMARY, parse_id
from tests.builders import A_TEXT
from tests.chaos.evidence import CLIENT
from tests.chaos.journal import Journal
from tests.faults.front import Caller, Timed
from tests.faults.tier import Tier

_PAUSE_SECONDS: Final = 0.1
_TAKEN: Final = frozenset({200, 202})


class Customers:
    def __init__(self, caller: Caller, tier: Tier) -> None:
        self._caller = caller
        self._webhook = f"http://127.0.0.1:{tier.receiver_port}/hook"
        self._journal = Journal(tier.folder / CLIENT)
        self.turned_away: list[Timed] = []
        """Every answer that took no order."""

    async def order_many(self, count: int) -> list[UUID]:
        return await asyncio.gather(*(self.order() for _ in range(count)))

    async def order(self, key: str | None = None) -> UUID:
        """One order, repeated sooner than it was asked for; gives its job."""
        key = key or uuid4().hex
        while True:
            answer = await self.send(key)
            if answer.status in _TAKEN:
                job = parse_id(SUMMARY, answer.response.json()["id"])
                assert job is not None
                return job
            self.turned_away.append(answer)
            await asyncio.sleep(_PAUSE_SECONDS)

    async def send(self, key: str) -> Timed:
        """One order, once."""
        self._journal.write("attempt", key=key)
        answer = await self._caller.post(self._body(key), Idempotency_Key=key)
        if answer.status in _TAKEN:
            job = answer.response.json()["id"]
            self._journal.write("acknowledged", key=key, id=job)
        return answer

    def _body(self, key: str) -> dict[str, Any]:
        return {
            "text": A_TEXT,
            "tier": "batch",
            "metadata": {"key": key},
            "delivery": {"webhook": self._webhook},
        }
