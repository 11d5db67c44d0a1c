"""The limits on what may wait in the batch tier, for a tenant and in all.

Once a second the gateway reads what came in, its own admissions since then it counts
itself; so the limits may be exceeded by a second of the other gateways' admissions.
What has gone meanwhile is counted as often as it may cost: once a second while little
waits, seldom while a million wait. Until then it counts as waiting: the backlog is
never thought shorter than it is.
"""

import time
from dataclasses import dataclass
from datetime import timedelta
from typing import Final
from uuid import UUID

from gateway.metrics import TURNED_AWAY
from gateway.parts.glances import Glances
from gateway.problems.answers import RequestRefused, retry_after
from jobs.store.backlog_store import Load, list_admitted, list_gone
from plumbing.database import Database

_INTERVAL: Final = timedelta(seconds=1)
_COST_SHARE: Final = 0.03
"""How much of a core of Postgres's the count may take."""
_LONGEST_PAUSE: Final = 30.0
_NOTHING: Final = Load()


@dataclass(frozen=True, slots=True)
class Limits:
    tenant: Load
    whole: Load


class Backlog:
    """Says no to more work than the service wants to owe."""

    def __init__(
        self, database: Database, *, limits: Limits, interval: timedelta = _INTERVAL
    ) -> None:
        self._database = database
        self._limits = limits
        self._interval = interval.total_seconds()
        self._glances = Glances("backlog", self.look, rest=interval)
        self._waiting: dict[UUID, Load] = {}
        self._whole = _NOTHING
        self._gone: dict[UUID, Load] = {}
        self._count_at = 0.0
        self._own = _Own()

    def admit(self, tenant_id: UUID, load: Load) -> None:
        """Count the job in, or raise `RequestRefused`; nothing is stored either way."""
        of_tenant = self._of_tenant(tenant_id) + load
        kind = _excess(of_tenant, self._limits.tenant)
        if kind is not None:
            raise self._refusal("quota_exceeded", kind)
        kind = _excess(self._whole + self._own.whole + load, self._limits.whole)
        if kind is not None:
            raise self._refusal("temporary_reduced_capacity", kind)
        self._own.add(tenant_id, load)

    def start(self) -> None:
        self._glances.start()

    async def close(self) -> None:
        await self._glances.close()

    async def look(self) -> None:
        """Read how much waits; what is admitted while it is read is counted on top."""
        since = self._own.mark()
        if time.monotonic() >= self._count_at:
            await self._count()
        async with self._database.statement() as tx:
            admitted = await list_admitted(tx)
        self._waiting = {
            tenant_id: load - self._gone.get(tenant_id, _NOTHING)
            for tenant_id, load in admitted.items()
        }
        self._whole = sum(self._waiting.values(), _NOTHING)
        self._own.forget(since)

    async def _count(self) -> None:
        began = time.monotonic()
        async with self._database.statement() as tx:
            self._gone = await list_gone(tx)
        ended = time.monotonic()
        pause = min(_LONGEST_PAUSE, (ended - began) / _COST_SHARE)
        self._count_at = ended + max(self._interval, pause)

    def _of_tenant(self, tenant_id: UUID) -> Load:
        waiting = self._waiting.get(tenant_id, _NOTHING)
        return waiting + self._own.of(tenant_id)

    def _refusal(self, code: str, kind: str) -> RequestRefused:
        TURNED_AWAY.labels(code).inc()
        soon = max(self._interval, self._count_at - time.monotonic())
        return RequestRefused(
            code,
            headers={"Retry-After": retry_after(soon + self._interval)},
            members={"violated-policies": [f"waiting-{kind}"]},
        )


class _Own:
    """What this gateway has admitted since what waits was last read."""

    def __init__(self) -> None:
        self._older: dict[UUID, Load] = {}
        self._newer: dict[UUID, Load] = {}
        self.whole = _NOTHING

    def add(self, tenant_id: UUID, load: Load) -> None:
        self._newer[tenant_id] = self._newer.get(tenant_id, _NOTHING) + load
        self.whole += load

    def of(self, tenant_id: UUID) -> Load:
        older = self._older.get(tenant_id, _NOTHING)
        return older + self._newer.get(tenant_id, _NOTHING)

    def mark(self) -> dict[UUID, Load]:
        """From here on admissions are newer than the reading that begins."""
        for tenant_id, load in self._newer.items():
            self._older[tenant_id] = self._older.get(tenant_id, _NOTHING) + load
        self._newer = {}
        return self._older

    def forget(self, older: dict[UUID, Load]) -> None:
        """What was marked is in the reading now."""
        self.whole -= sum(older.values(), _NOTHING)
        self._older = {}


def _excess(load: Load, limit: Load) -> str | None:
    if load.jobs > limit.jobs:
        return "jobs"
    return "bytes" if load.bytes > limit.bytes else None
