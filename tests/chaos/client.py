"""Customers who never let go: submit, repeat, cancel, look, erase, under all faults.

Each order has a key of its own and is sent until an answer comes; some are sent twice
at once to both gateways. Whatever happens is in the journal before the next step, so
that what was acknowledged is known even where everything else is lost.
"""

import asyncio
import random
import time
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, Final

import httpx

from tests.chaos.journal import Journal
from tests.chaos.texts import make_text

_PATIENCE_SECONDS: Final = 90.0
_TIMEOUT: Final = 6.0
_MOST_UNDER_WAY: Final = 64
"""Orders at once. Without a bound an outage gathers hundreds that repeat themselves, and
this process, in which the relays to Postgres live as well, becomes the outage."""


@dataclass(frozen=True)
class Habits:
    """Parts of all orders, from 0 to 1, where nothing else is said."""

    long: float = 0.15
    realtime: float = 0.3
    """Asked as `auto`, the others as `batch`."""
    mailed: float = 0.1
    doubled: float = 0.15
    hasty: float = 0.05
    """With a deadline of a few seconds."""
    cancelled: float = 0.06
    erased: float = 0.03
    watched: float = 0.1
    longest_pause: float = 5.0
    """Seconds until an order is sent again, whatever the answer asks for."""


class Customers:
    def __init__(
        self,
        gateways: Sequence[str],
        *,
        api_key: str,
        webhook_url: str,
        journal: Journal,
        seed: int,
        habits: Habits,
    ) -> None:
        self._gateways = gateways
        self._webhook_url = webhook_url
        self._journal = journal
        self._seed = seed
        self._habits = habits
        self._http = httpx.AsyncClient(
            headers={"Authorization": f"Bearer {api_key}"},
            timeout=_TIMEOUT,
            limits=httpx.Limits(max_connections=200),
        )

    async def close(self) -> None:
        await self._http.aclose()

    async def order_all(self, count: int, *, seconds: float) -> None:
        """Place so many orders, evenly over the time; return when each is settled."""
        began = time.monotonic()
        room = asyncio.Semaphore(_MOST_UNDER_WAY)
        async with asyncio.TaskGroup() as placed:
            for number in range(count):
                due = began + number * seconds / count
                await asyncio.sleep(due - time.monotonic())
                await room.acquire()
                order = placed.create_task(self._see_through(number))
                order.add_done_callback(lambda _: room.release())

    async def _see_through(self, number: int) -> None:
        """One order with all that follows; chance depends on seed and number alone."""
        chance = random.Random(f"{self._seed}:{number}")
        key, habits = f"key-{self._seed}-{number}", self._habits
        body = self._body(key, chance)
        tries = 2 if chance.random() < habits.doubled else 1
        plan = {
            "cancel": chance.random() < habits.cancelled,
            "erase": chance.random() < habits.erased,
            "look": chance.random() < habits.watched,
        }
        pause = chance.uniform(0, 2)
        ids = await asyncio.gather(
            *(self._submit(key, body, chance, first=n) for n in range(tries))
        )
        job_id = next(filter(None, ids), None)
        if job_id is None:
            return
        await asyncio.sleep(pause)
        if plan["cancel"]:
            await self._ask("POST", f"/v1/summaries/{job_id}/cancel", job_id)
        if plan["erase"]:
            await self._ask("DELETE", f"/v1/summaries/{job_id}", job_id)
        if plan["look"]:
            await self._look(job_id)

    def _body(self, key: str, chance: random.Random) -> dict[str, Any]:
        habits = self._habits
        is_long = chance.random() < habits.long
        size = chance.randint(12_000, 30_000) if is_long else chance.randint(600, 1500)
        mails = [f"{key}@example.com"] if chance.random() < habits.mailed else []
        body: dict[str, Any] = {
            "text": make_text(chance, characters=size),
            "tier": "auto" if chance.random() < habits.realtime else "batch",
            "metadata": {"key": key},
            "delivery": {"webhook": self._webhook_url, "email": mails},
        }
        if chance.random() < habits.hasty:
            deadline = datetime.now(UTC) + timedelta(seconds=chance.uniform(2, 6))
            body["deadline"] = deadline.isoformat()
        return body

    async def _submit(
        self, key: str, body: dict[str, Any], chance: random.Random, *, first: int
    ) -> str | None:
        """Send until an answer counts; None: the patience is over, or it is refused.

        The patience is so long that whoever loses it has found a service that does
        not come back by itself; so that is noted for the judge.
        """
        end, number = time.monotonic() + _PATIENCE_SECONDS, first
        pause = 0.5
        headers = {"Idempotency-Key": f'"{key}"'}
        while time.monotonic() < end:
            gateway = self._gateways[number % len(self._gateways)]
            self._journal.write("attempt", key=key, gateway=gateway)
            number += 1
            try:
                answer = await self._http.post(
                    f"{gateway}/v1/summaries", json=body, headers=headers
                )
            except httpx.TransportError as error:
                self._journal.write("unknown", key=key, error=type(error).__name__)
                await asyncio.sleep(chance.uniform(0.1, 0.5))
                continue
            if answer.is_success:
                return self._acknowledged(key, answer)
            if not self._may_repeat(key, answer):
                return None
            asked = float(answer.headers.get("Retry-After", "0"))
            longest = self._habits.longest_pause
            await asyncio.sleep(max(min(asked, longest), pause))
            pause = min(2 * pause, longest)
        self._journal.write("given_up", key=key)
        return None

    def _acknowledged(self, key: str, answer: httpx.Response) -> str:
        told = answer.json()
        job_id = str(told["id"])
        self._journal.write(
            "acknowledged", key=key, id=job_id, status=answer.status_code
        )
        self._seen(told)
        return job_id

    def _may_repeat(self, key: str, answer: httpx.Response) -> bool:
        code = answer.json().get("code")
        self._journal.write("refused", key=key, status=answer.status_code, code=code)
        if answer.status_code in {409, 429, 503}:
            return True
        if code != "deadline_out_of_range":  # else the order's own time ran out
            self._journal.write("given_up", key=key)
        return False

    async def _ask(self, method: str, path: str, job_id: str) -> None:
        """Ask until somebody answers; both requests may be repeated."""
        for number in range(20):
            gateway = self._gateways[number % len(self._gateways)]
            try:
                answer = await self._http.request(method, f"{gateway}{path}")
            except httpx.TransportError:
                await asyncio.sleep(0.3)
                continue
            if answer.status_code < httpx.codes.INTERNAL_SERVER_ERROR:
                self._journal.write(
                    "asked", id=job_id, what=method, status=answer.status_code
                )
                return
            await asyncio.sleep(0.3)

    async def _look(self, job_id: str) -> None:
        """Read the job until it has ended, like a customer who polls."""
        end = time.monotonic() + _PATIENCE_SECONDS
        while time.monotonic() < end:
            gateway = random.choice(self._gateways)
            try:
                answer = await self._http.get(f"{gateway}/v1/summaries/{job_id}")
            except httpx.TransportError:
                answer = None
            if answer is not None and answer.is_success:
                if self._seen(answer.json()):
                    return
            elif answer is not None and answer.status_code in {404, 410}:
                self._journal.write("missing", id=job_id, status=answer.status_code)
                return
            await asyncio.sleep(0.5)

    def _seen(self, told: dict[str, Any]) -> bool:
        """Note the state that was read; whether it is an ending."""
        self._journal.write(
            "seen", id=told["id"], state=told["status"], version=told["version"]
        )
        return told["finished_at"] is not None
