"""`python -m workers.batch`: Celery in front, one event loop behind."""

import signal
import sys
from dataclasses import replace
from typing import Any

import structlog
from celery import Celery, Task, bootsteps
from celery.signals import worker_shutting_down
from kombu.exceptions import OperationalError
from redis.exceptions import RedisError

from jobs.messages.hint import ClaimRequest, HintMalformed, parse_claim_request
from plumbing import failpoints
from plumbing.garbage import calm_garbage_collector
from plumbing.logs import configure_logs
from plumbing.sealing import KeyMalformed, MasterKey
from plumbing.settings import SettingsRefused, read_settings
from workers.batch import metrics
from workers.batch.runtime import Runtime
from workers.batch.settings import WorkerSettings
from workers.celery_app import TASK, create_celery

log = structlog.get_logger()


def register_claim_task(app: Celery, runtime: Runtime) -> None:
    @app.task(name=TASK, bind=True)
    def claim(self: Task[Any, Any], *arguments: Any, **_: Any) -> None:
        """Claim as many jobs as the message asks for and see them through.

        May run twice or not at all: the claim in Postgres decides. A message that
        is not ours is acknowledged and logged.
        """
        failpoints.reach(failpoints.MESSAGE_TAKEN, ConnectionError)
        try:
            (body,) = arguments
            request = parse_claim_request(body)
        except (HintMalformed, ValueError):
            metrics.MESSAGES_MALFORMED.inc()
            log.warning("message.malformed", task=self.request.id)
            return
        left = runtime.work(request, task_id=str(self.request.id))
        if left:
            _pass_on(self, replace(request, up_to=left))


def _pass_on(task: Task[Any, Any], request: ClaimRequest) -> None:
    """Give the message to whoever can work; if it is lost, the reconciler sees it."""
    try:
        task.apply_async(args=(request.to_body(),), retry=False)
    except (OperationalError, RedisError, OSError) as error:
        log.warning("message.lost", reason=type(error).__name__)


def _letting_go(runtime: Runtime) -> type[bootsteps.StartStopStep]:
    """Celery may end by itself, at an item in Valkey that is no message of anybody's.

    It then waits for its threads, and these wait for jobs: those are let go of first, or
    this process would take nothing more for as long as a book lasts.
    """

    class LetGo(bootsteps.StartStopStep):
        def close(self, parent: Any) -> None:
            del parent
            runtime.begin_stop()

    return LetGo


def main() -> int:
    try:
        settings = read_settings(WorkerSettings)
        master_key = MasterKey(*settings.master_keys)
    except (SettingsRefused, KeyMalformed) as error:
        print(error, file=sys.stderr)  # noqa: T201 - logs are not configured yet
        return 2
    configure_logs(settings, service="worker")
    failpoints.arm(settings.failpoints)
    runtime = Runtime(settings, master_key)
    app = create_celery(settings.redis_url.get_secret_value())
    register_claim_task(app, runtime)
    app.steps["worker"].add(_letting_go(runtime))

    def let_go(**_: Any) -> None:
        runtime.begin_stop()

    worker_shutting_down.connect(let_go)
    # Until Celery listens itself: a worker is ready, and may be stopped, before that.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit())
    try:
        runtime.start()
        status = _consume(app, settings)
    except SystemExit:
        status = 0
    finally:
        is_sound = runtime.finish_stop()
    return status if is_sound else 1


def _consume(app: Celery, settings: WorkerSettings) -> int:
    """Run Celery until it is told to stop; gives its exit status."""
    worker = app.Worker(
        pool="threads",
        concurrency=settings.worker_threads,
        loglevel=settings.log_level,
        without_gossip=True,
        without_heartbeat=True,
        without_mingle=True,
        quiet=True,
    )
    calm_garbage_collector()
    worker.start()
    return int(worker.exitcode or 0)


if __name__ == "__main__":
    sys.exit(main())
