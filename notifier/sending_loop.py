"""Claims due deliveries and keeps up to so many of them on their way at once.

Every delivery is a task of its own, so a receiver that hangs holds one slot for one
attempt; lanes, and each tenant's share of the slots, bound how many it can hold. What
an attempt does is the courier's part; when the next is due, the schedule's.
"""

import asyncio
import time
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Final
from uuid import UUID

import structlog

from jobs.errors import LeaseLost
from jobs.job import Job
from jobs.store.job_store import find_jobs
from notifier.claim_store import ClaimedDelivery, claim_deliveries, sweep_lapsed
from notifier.courier import Courier
from notifier.lanes import LaneWatch
from notifier.metrics import NotifierMetrics
from notifier.outcome_store import release
from notifier.outcomes import Outcome, Verdict
from plumbing.clock import Clock
from plumbing.database import Database, DatabaseUnavailable
from plumbing.failpoints import DELIVERIES_CLAIMED, reach
from plumbing.process import sleep_or_stop
from plumbing.repeating import repeat

MAX_IN_FLIGHT: Final = 256
MAX_PER_TENANT: Final = MAX_IN_FLIGHT // 4

log = structlog.get_logger()


@dataclass(frozen=True, slots=True, kw_only=True)
class Pace:
    """How often the loop looks, and how long what it took stays its own."""

    webhook_lease: timedelta = timedelta(seconds=30)
    mail_lease: timedelta = timedelta(seconds=60)
    idle: timedelta = timedelta(milliseconds=250)
    busy: timedelta = timedelta(milliseconds=25)
    """Between any two claims: under load they grow instead of becoming many."""
    sweep: timedelta = timedelta(seconds=5)
    farewell: timedelta = timedelta(seconds=15)
    """What is being sent when the process stops may take so long to end."""


class SendingLoop:
    def __init__(
        self,
        database: Database,
        courier: Courier,
        *,
        lanes: LaneWatch,
        metrics: NotifierMetrics,
        clock: Clock,
        pace: Pace,
    ) -> None:
        self._database = database
        self._courier = courier
        self._lanes = lanes
        self._metrics = metrics
        self._clock = clock
        self._pace = pace
        self._in_flight: dict[asyncio.Task[None], ClaimedDelivery] = {}
        self._freed = asyncio.Event()
        self._sweep_at = 0.0

    async def run(self, stop: asyncio.Event) -> None:
        async def take_a_round() -> bool:
            self._freed.clear()
            claimed = await self.run_once()
            await sleep_or_stop(stop, self._pace.busy)
            if not claimed:
                # What has ended meanwhile may have made room in a busy lane.
                await sleep_or_stop(self._freed, self._pace.idle)
            return True

        await repeat(
            take_a_round,
            name="sending",
            rest=self._pace.busy,
            stop=stop,
            outages=(DatabaseUnavailable,),
        )
        await self.stop()

    async def run_once(self) -> int:
        """Claim what is due, set it on its way, and tell how much that was."""
        await self._sweep()
        room = MAX_IN_FLIGHT - len(self._in_flight)
        if room == 0:
            return 0
        deliveries, jobs = await self._claim(room)
        for delivery in deliveries:
            self._set_off(delivery, jobs.get(delivery.job_id))
        return len(deliveries)

    async def settle(self) -> None:
        """Wait until all that is on its way has ended."""
        while self._in_flight:
            await asyncio.wait(self._in_flight)

    async def stop(self) -> None:
        """Let the current attempts end; give back those that take too long."""
        if not self._in_flight:
            return
        seconds = self._pace.farewell.total_seconds()
        _, late = await asyncio.wait(self._in_flight, timeout=seconds)
        unfinished = [self._in_flight[task] for task in late]
        for task in late:
            task.cancel()
        await asyncio.gather(*late, return_exceptions=True)
        log.info("notifier.drained", unfinished=len(unfinished))
        if unfinished:
            await self._release(unfinished)

    async def _release(self, unfinished: Sequence[ClaimedDelivery]) -> None:
        try:
            async with self._database.statement() as tx:
                await release(tx, unfinished)
        except DatabaseUnavailable as error:
            log.warning("delivery.left_to_lease", error=str(error))

    async def _claim(
        self, room: int
    ) -> tuple[Sequence[ClaimedDelivery], dict[UUID, Job]]:
        restraint = self._lanes.restraint()
        self._metrics.lanes_resting.set(len(restraint.resting))
        async with self._database.transaction() as tx:
            deliveries = await claim_deliveries(
                tx,
                count=room,
                webhook_lease=self._pace.webhook_lease,
                mail_lease=self._pace.mail_lease,
                restraint=restraint,
            )
            bodiless = [
                delivery.job_id
                for delivery in deliveries
                if delivery.kind == "webhook" and delivery.body is None
            ]
            jobs = await find_jobs(tx, bodiless) if bodiless else {}
        if deliveries:
            reach(DELIVERIES_CLAIMED, DatabaseUnavailable)
        return deliveries, jobs

    async def _sweep(self) -> None:
        now = time.monotonic()
        if now < self._sweep_at:
            return
        self._sweep_at = now + self._pace.sweep.total_seconds()
        async with self._database.statement() as tx:
            lapsed = await sweep_lapsed(tx)
        if lapsed:
            self._metrics.leases_lapsed.inc(lapsed)
            log.warning("delivery.leases_lapsed", count=lapsed)

    def _set_off(self, delivery: ClaimedDelivery, job: Job | None) -> None:
        task = asyncio.create_task(self._deliver(delivery, job))
        self._in_flight[task] = delivery
        self._lanes.take(delivery)
        task.add_done_callback(self._come_back)
        self._metrics.in_flight.set(len(self._in_flight))

    def _come_back(self, task: asyncio.Task[None]) -> None:
        self._lanes.give_back(self._in_flight.pop(task))
        self._metrics.in_flight.set(len(self._in_flight))
        self._freed.set()

    async def _deliver(self, delivery: ClaimedDelivery, job: Job | None) -> None:
        """One delivery, at the edge of its task: nothing escapes."""
        try:
            if delivery.endpoint_state not in {None, "enabled"}:
                await self._courier.cancel(delivery)
                return
            await self._send(delivery, job)
        except LeaseLost:
            log.info("delivery.lost", delivery_id=str(delivery.id))
        except DatabaseUnavailable as error:
            # The lease brings the delivery back; its schedule stands where it stood.
            log.warning("delivery.left_to_lease", error=str(error))
        except Exception:
            log.exception("delivery.record_failed", delivery_id=str(delivery.id))

    async def _send(self, delivery: ClaimedDelivery, job: Job | None) -> None:
        if delivery.attempt == 1:
            lag = self._clock.now() - delivery.happened_at
            self._metrics.first_attempt_lag.observe(max(0.0, lag.total_seconds()))
        began = time.monotonic()
        outcome = await self._attempt(delivery, job)
        self._lanes.record(delivery.lane, shows_life=outcome.shows_life)
        await self._courier.record(delivery, outcome, began=began)

    async def _attempt(self, delivery: ClaimedDelivery, job: Job | None) -> Outcome:
        """An attempt that failed by a fault of ours counts, or it would never end."""
        try:
            return await self._courier.attempt(delivery, job)
        except (DatabaseUnavailable, LeaseLost):
            raise
        except Exception:
            log.exception("delivery.attempt_broken", delivery_id=str(delivery.id))
            return Outcome(
                verdict=Verdict.FAILED, error="internal_error", is_our_fault=True
            )
