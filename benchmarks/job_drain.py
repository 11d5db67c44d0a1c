"""Drains accepted jobs by one dispatcher and one worker, and says how many a second.

All jobs are committed in one transaction, so that they appear at once before processes
that are warm. The clock is Postgres's, from that commit to the last job's end: relay,
Kafka, consumer, Celery, claim, plan, engine, chunk, summary and event lie in between.
Afterwards the database must hold all of them, whole.
"""

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import timedelta
from functools import partial
from typing import Final

from sqlalchemy import text

from benchmarks.accepted_jobs import accept_short, all_ended, last_end
from benchmarks.children import Child, cpu_seconds
from benchmarks.surroundings import Bench
from deploy.local.errands import until

_WARM_UP: Final = 500
_LONGEST: Final = timedelta(minutes=3)


@dataclass(frozen=True, kw_only=True)
class JobDrain:
    per_second: float
    cpu_us: dict[str, int]
    """Processor time for each job, by process."""


async def drain_jobs(bench: Bench, *, count: int) -> JobDrain:
    async with batch_tier(bench) as processes:
        await accept_short(bench, _WARM_UP)
        await _until_drained(bench, processes)
        async with bench.database.statement() as tx:
            # As autovacuum does for tables that have been in use for a minute.
            await tx.execute(text("ANALYZE"))
        ids, began = await accept_short(bench, count)
        spent = _cpu(bench, processes)
        await _until_drained(bench, processes)
        ended = await last_end(bench.database, ids)
        now = _cpu(bench, processes)
    cpu_us = {name: round((now[name] - spent[name]) / count * 1e6) for name in now}
    seconds = (ended - began).total_seconds()
    return JobDrain(per_second=count / seconds, cpu_us=cpu_us)


@asynccontextmanager
async def batch_tier(bench: Bench) -> AsyncIterator[dict[str, Child]]:
    """One dispatcher and one worker, as `precis up` starts them."""
    start, ports = bench.children.start, bench.ports
    with (
        start("workers.dispatcher", environment=_health(ports, "dispatcher")) as relay,
        start("workers.batch", environment=_health(ports, "worker")) as worker,
    ):
        await worker.ready(ports["worker-health"], path="/readyz")
        await relay.ready(ports["dispatcher-health"], path="/readyz")
        yield {"dispatcher": relay, "worker": worker}


def _health(ports: Mapping[str, int], name: str) -> dict[str, str]:
    return {"PRECIS_HEALTH_PORT": str(ports[f"{name}-health"])}


async def _until_drained(bench: Bench, processes: Mapping[str, Child]) -> None:
    drained = await until(partial(all_ended, bench.database), within=_LONGEST)
    for child in processes.values():
        child.require(succeeded=drained)


def _cpu(bench: Bench, processes: Mapping[str, Child]) -> dict[str, float]:
    pids = {name: child.pid for name, child in processes.items()}
    pids |= {"engine": bench.engine.pid, **bench.ready.pids}
    return {name: cpu_seconds(pid) for name, pid in pids.items()}
