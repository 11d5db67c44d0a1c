"""The peer of the pipeline: a Celery worker whose task does nothing.

`python -m benchmarks.noop_worker POOL CONCURRENCY`. Early acknowledgement, no results,
no events, no gossip: Celery at its lightest, on the same Valkey.
"""

import sys
from typing import Final

from celery import Celery

from plumbing.settings import BrokerSettings, read_settings

QUEUE: Final = "bench.noop"
TASK: Final = "bench.noop"


def create_noop_app(redis_url: str) -> Celery:
    app = Celery("noop", broker=redis_url)
    app.conf.update(
        broker_connection_retry_on_startup=True,
        task_acks_late=False,
        task_default_queue=QUEUE,
        task_ignore_result=True,
        worker_enable_remote_control=False,
        worker_send_task_events=False,
    )

    @app.task(name=TASK)
    def noop(_number: int) -> None:
        pass

    return app


def main(pool: str, concurrency: str) -> None:
    settings = read_settings(BrokerSettings)
    worker = create_noop_app(settings.redis_url.get_secret_value()).Worker(
        pool=pool,
        concurrency=int(concurrency),
        loglevel="ERROR",
        without_gossip=True,
        without_heartbeat=True,
        without_mingle=True,
        quiet=True,
    )
    worker.start()


if __name__ == "__main__":
    main(*sys.argv[1:])
