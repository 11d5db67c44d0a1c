"""The jobs in this process's hands: claims them, keeps their leases, lets them go.

The heartbeat is driven by the loop that does the work, so a hung process loses its
leases. Nothing is claimed while the pool has no healthy engine or the process is
stopping.
"""

import asyncio
import time
from dataclasses import dataclass, field
from datetime import timedelta
from uuid import UUID

import structlog

from jobs.errors import LeaseLost
from jobs.lifecycle import State
from jobs.messages.hint import ClaimRequest
from jobs.operations.claim import Claim, usual_count
from plumbing.database import DatabaseUnavailable
from plumbing.engine_pool import EnginePool
from plumbing.process import sleep_or_stop
from workers.batch import metrics
from workers.batch.attempt import Attempt, Tools
from workers.batch.slots import Slots

_WHOLE_CLAIM_EVERY = 1.0
_LONGEST_BEAT = timedelta(seconds=1)
_RENEWALS_PER_LEASE = 4

log = structlog.get_logger()


@dataclass(slots=True)
class Held:
    attempt: Attempt
    task: asyncio.Task[State]
    is_lost: bool = False
    kept_at: float = field(default_factory=time.monotonic)
    """When Postgres last said that it is ours."""


class Holder:
    def __init__(
        self,
        tools: Tools,
        pool: EnginePool,
        slots: Slots,
        *,
        stop_grace: timedelta,
    ) -> None:
        self._tools = tools
        self._pool = pool
        self._slots = slots
        self._stop_grace = stop_grace
        self._held: dict[UUID, Held] = {}
        self._tasks: dict[asyncio.Task[None], Claim] = {}
        self._stopping = asyncio.Event()
        self._claiming = asyncio.Lock()
        self._claimed_whole_at = 0.0
        self._renewed_at = 0.0
        self._renew_every = tools.lease / _RENEWALS_PER_LEASE
        self._beat = min(_LONGEST_BEAT, self._renew_every)

    async def work(self, request: ClaimRequest, *, task_id: str) -> int:
        """Claim as many jobs as were asked for, and see them through.

        Returns when nothing more is due and all that was claimed here has left; gives
        how many jobs are left to others, because this process may claim none now.
        """
        left, tasks = request.up_to, set[asyncio.Task[None]]()
        while left > 0 and self._may_claim():
            # One at a time: what comes free meanwhile goes into one claim.
            async with self._claiming:
                granted = await self._slots.take(left)
                count = usual_count(granted)
                await self._slots.give_back(granted - count)
                claims = await self._claim(count)
            if not claims:
                break
            tasks |= {self._begin(held, task_id=task_id) for held in claims}
            left -= count
        if tasks:
            await asyncio.wait(tasks)
        return 0 if self._may_claim() else max(0, left)

    def _may_claim(self) -> bool:
        return not self._stopping.is_set() and not self._pool.state.is_down

    async def _claim(self, granted: int) -> list[Claim]:
        """Claim into the slots that were granted; those left over are given back."""
        claims: list[Claim] = []
        try:
            if self._may_claim():
                claims = await self._tools.ledger.claim(granted, whole=self._is_whole())
        except DatabaseUnavailable as error:
            # The hint is spent; the reconciler replaces it.
            log.warning("claim.failed", error=str(error))
            await self._hand_back_unheard()
        finally:
            await self._slots.give_back(granted - len(claims))
        return claims

    async def _hand_back_unheard(self) -> None:
        """Let go of what was claimed where only the answer was lost.

        Left to the lease it would cost an attempt, and pass for what kills workers.
        """
        begun = {claim.id: claim.fence for claim in self._tasks.values()}
        try:
            count = await self._tools.ledger.hand_back_all_but(begun)
        except DatabaseUnavailable as error:
            log.warning("claim.left_to_sweeper", error=str(error))
        else:
            log.info("claim.handed_back", count=count)

    def _is_whole(self) -> bool:
        """Whether this claim looks behind the floor; about one a second does."""
        now = time.monotonic()
        if now - self._claimed_whole_at < _WHOLE_CLAIM_EVERY:
            return False
        self._claimed_whole_at = now
        return True

    def _begin(self, claim: Claim, *, task_id: str) -> asyncio.Task[None]:
        task = asyncio.create_task(self._see_through(claim, task_id=task_id))
        self._tasks[task] = claim
        task.add_done_callback(self._tasks.pop)
        metrics.JOBS_CLAIMED.inc()
        metrics.JOBS_RUNNING.inc()
        return task

    async def _see_through(self, claim: Claim, *, task_id: str) -> None:
        """Run one job to its leaving, whatever happens to it."""
        started = time.monotonic()
        structlog.contextvars.bind_contextvars(job_id=claim.id.hex, fence=claim.fence)
        try:
            state = await self._hold(Attempt(claim, self._tools, task_id=task_id))
            metrics.JOBS_LEFT.labels(state=state.value).inc()
            log.debug("job.left", state=state.value)
        except LeaseLost:
            metrics.JOBS_LOST.inc()
            log.warning("job.lease_lost")
        except DatabaseUnavailable as error:
            log.warning("job.left_to_sweeper", error=str(error))
        finally:
            metrics.JOBS_RUNNING.dec()
            metrics.JOB_SECONDS.observe(time.monotonic() - started)
            await self._slots.give_back(1)

    async def _hold(self, attempt: Attempt) -> State:
        if self._stopping.is_set():
            return await attempt.hand_back()  # claimed while the stop was called
        job_id = attempt.held.id
        if job_id in self._held:
            # We slept through its lease: whoever holds it now, the old attempt has lost.
            self._lose(self._held[job_id])
        task = asyncio.create_task(self._run(attempt))
        held = self._held[job_id] = Held(attempt, task)
        try:
            await asyncio.wait([task])
            if not task.cancelled():
                return task.result()
            if held.is_lost:
                raise LeaseLost(str(job_id))
            # Cancelled by its owner or by our stop: the statement knows which.
            return await attempt.hand_back()
        finally:
            if self._held.get(job_id) is held:
                del self._held[job_id]

    async def _run(self, attempt: Attempt) -> State:
        if not attempt.held.suspect:
            return await attempt.run()
        goes_first = await self._tools.ledger.goes_first(attempt.held)
        if self._slots.is_alone or not goes_first:
            return await attempt.hand_back(after=self._renew_every)
        async with self._slots.alone() as let_in:
            return await attempt.run(on_progress=let_in)

    async def beat(self, stop: asyncio.Event) -> None:
        """Renew leases, notice cancels and report this process, until stopped."""
        is_over = False
        while not is_over:
            try:
                await self._beat_once()
            except DatabaseUnavailable as error:
                log.warning("heartbeat.failed", error=str(error))
                self._lose_lapsed()
            is_over = await sleep_or_stop(stop, self._beat)

    async def _beat_once(self) -> None:
        """The leases first: a word about this process that fails must not cost them."""
        await self._renew_leases()
        ledger = self._tools.ledger
        await ledger.report(slots=self._slots.total if self._may_claim() else 0)
        if not self._held:
            return
        for job_id in await ledger.find_cancelled(list(self._held)):
            if job_id in self._held:
                self._held[job_id].task.cancel()

    async def _renew_leases(self) -> None:
        held = list(self._held.values())
        since = time.monotonic() - self._renewed_at
        if not held or since < self._renew_every.total_seconds() * 0.9:
            return
        renewed = await self._tools.ledger.renew([each.attempt.held for each in held])
        self._renewed_at = time.monotonic()
        for each in held:
            if each.attempt.held.id in renewed:
                each.kept_at = self._renewed_at
            else:
                self._lose(each)

    def _lose_lapsed(self) -> None:
        """Nobody renews what we hold: once its lease is over, others may do it."""
        over = time.monotonic() - self._tools.lease.total_seconds()
        for held in self._held.values():
            if held.kept_at < over and not held.is_lost:
                self._lose(held)

    def _lose(self, held: Held) -> None:
        held.is_lost = True
        held.task.cancel()

    async def stop(self) -> None:
        """Claim nothing more; what does not finish in time is handed back.

        Returns when nothing is held any more.
        """
        self._stopping.set()
        tasks = [held.task for held in self._held.values()]
        if tasks:
            _, late = await asyncio.wait(
                tasks, timeout=self._stop_grace.total_seconds()
            )
            for task in late:
                task.cancel()
        async with self._claiming:
            pass  # a claim under way brings its jobs first
        if self._tasks:
            await asyncio.wait(self._tasks)
