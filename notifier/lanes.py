"""Which lanes rest, and which tenants hold enough: this process's memory of both.

Five failures in a row that show no life and a lane rests for a minute; then a single
delivery finds out. Nothing is lost by forgetting: a new process learns it again.
"""

import time
from collections import Counter
from collections.abc import Callable
from datetime import timedelta
from typing import Final
from uuid import UUID

from notifier.claim_store import ClaimedDelivery, Restraint
from plumbing.breaker import Breaker

FAILURES: Final = 5
REST: Final = timedelta(seconds=60)
# Failures of one lane may lie hours apart, by the schedule.
_WINDOW: Final = timedelta(days=1)
_MAX_REMEMBERED: Final = 10_000


class LaneWatch:
    def __init__(
        self,
        *,
        max_per_tenant: int,
        rest: timedelta = REST,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._max_per_tenant = max_per_tenant
        self._rest = rest
        self._clock = clock
        self._troubled: dict[str, Breaker] = {}
        self._held: Counter[UUID] = Counter()

    def restraint(self) -> Restraint:
        lanes = self._troubled.items()
        return Restraint(
            resting=[lane for lane, breaker in lanes if breaker.state == "open"],
            trying=[lane for lane, breaker in lanes if breaker.state == "half_open"],
            crowded=[
                tenant
                for tenant, count in self._held.items()
                if count >= self._max_per_tenant
            ],
            share=self._max_per_tenant,
        )

    def take(self, delivery: ClaimedDelivery) -> None:
        self._held[delivery.tenant_id] += 1

    def give_back(self, delivery: ClaimedDelivery) -> None:
        self._held[delivery.tenant_id] -= 1
        if not self._held[delivery.tenant_id]:
            del self._held[delivery.tenant_id]

    def record(self, lane: str, *, shows_life: bool) -> None:
        """Remember how an attempt ended; only lanes in trouble take up memory."""
        if shows_life:
            self._troubled.pop(lane, None)
            return
        if lane not in self._troubled and len(self._troubled) >= _MAX_REMEMBERED:
            self._troubled.pop(next(iter(self._troubled)))
        breaker = self._troubled.setdefault(lane, self._breaker())
        breaker.record(ok=False)

    def _breaker(self) -> Breaker:
        return Breaker(
            failures=FAILURES, window=_WINDOW, cooldown=self._rest, clock=self._clock
        )
