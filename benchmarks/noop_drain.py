"""Drains queued no-op tasks by one Celery worker, and says how many a second.

The tasks lie ready under another name; renaming their list hands all of them to a
worker that is warm, so its start is not measured.
"""

import time
from dataclasses import dataclass
from datetime import timedelta
from typing import Final

from redis import Redis

from benchmarks.children import cpu_seconds
from benchmarks.noop_worker import QUEUE, TASK, create_noop_app
from benchmarks.surroundings import Bench
from deploy.local.errands import until

_WARM_UP: Final = 300
_STAGED: Final = f"{QUEUE}.staged"
_LONGEST: Final = timedelta(minutes=2)


@dataclass(frozen=True, kw_only=True)
class NoopDrain:
    per_second: float
    worker_cpu_us: float


async def drain_noops(
    bench: Bench, *, pool: str, concurrency: int, count: int
) -> NoopDrain:
    broker = Redis.from_url(bench.ready.redis_url)

    def is_drained() -> bool:
        return broker.llen(QUEUE) == 0 and broker.hlen("unacked") == 0

    module, arguments = "benchmarks.noop_worker", (pool, str(concurrency))
    with bench.children.start(module, *arguments) as worker:
        _enqueue(bench.ready.redis_url, QUEUE, _WARM_UP)
        worker.require(succeeded=await until(is_drained, within=_LONGEST))
        _enqueue(bench.ready.redis_url, _STAGED, count)
        assert broker.llen(_STAGED) == count
        spent, began = cpu_seconds(worker.pid), time.perf_counter()
        broker.rename(_STAGED, QUEUE)
        worker.require(succeeded=await until(is_drained, within=_LONGEST))
        seconds = time.perf_counter() - began
        spent = cpu_seconds(worker.pid) - spent
    broker.close()
    return NoopDrain(per_second=count / seconds, worker_cpu_us=spent / count * 1e6)


def _enqueue(redis_url: str, queue: str, count: int) -> None:
    app = create_noop_app(redis_url)
    with app.producer_pool.acquire(block=True) as producer:
        for number in range(count):
            app.send_task(TASK, args=[number], queue=queue, producer=producer)
    app.close()
