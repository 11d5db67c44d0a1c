"""`python -m workers.dispatcher`: the composition root of the dispatcher."""

import asyncio
import sys
from datetime import timedelta

from jobs.operations.retain import Kept
from plumbing import failpoints
from plumbing.database import Database
from plumbing.garbage import calm_garbage_collector
from plumbing.health import HealthServer
from plumbing.kafka_client import HintConsumer, HintProducer
from plumbing.logs import configure_logs
from plumbing.process import run, supervise_loops
from plumbing.settings import SettingsRefused, read_settings
from workers.celery_app import create_celery
from workers.dispatcher.broker import Broker
from workers.dispatcher.consumer_loop import ConsumerLoop
from workers.dispatcher.pause_loop import PauseLoop
from workers.dispatcher.reconciler_loop import ReconcilerLoop
from workers.dispatcher.relay_loop import RelayLoop
from workers.dispatcher.retention_loop import RetentionLoop
from workers.dispatcher.settings import DispatcherSettings
from workers.dispatcher.survey_loop import SurveyLoop

_PAUSE_PER_LEASE = timedelta(seconds=2) / timedelta(seconds=60)


def main() -> int:
    try:
        settings = read_settings(DispatcherSettings)
    except SettingsRefused as error:
        print(error, file=sys.stderr)  # noqa: T201 - logs are not configured yet
        return 2
    configure_logs(settings, service="dispatcher")
    failpoints.arm(settings.failpoints)

    async def dispatch_until(stop: asyncio.Event) -> None:
        await _dispatch(settings, stop=stop)

    return run(dispatch_until)


async def _dispatch(settings: DispatcherSettings, *, stop: asyncio.Event) -> None:
    database = Database(
        settings.database_url.get_secret_value(),
        pool_size=settings.database_pool_size,
        application="precis-dispatcher",
    )
    redis_url = settings.redis_url.get_secret_value()
    broker = Broker(create_celery(redis_url), redis_url)
    producer = HintProducer(settings)
    consumer = HintConsumer(settings, topic=settings.kafka_topic)
    health = HealthServer(
        settings.health_host, settings.health_port, checks={"database": database.ping}
    )
    await health.start()
    calm_garbage_collector()
    try:
        await supervise_loops(
            stop,
            RelayLoop(database, producer, topic=settings.kafka_topic),
            ConsumerLoop(
                database,
                consumer,
                producer,
                broker,
                dead_letter_topic=settings.kafka_dead_letter_topic,
            ),
            ReconcilerLoop(
                database,
                broker,
                interval=settings.reconcile_interval,
                patience=settings.hint_patience,
                pause_after_loss=settings.job_lease * _PAUSE_PER_LEASE,
            ),
            PauseLoop(database),
            RetentionLoop(
                database,
                Kept(text=settings.retain_text, summary=settings.retain_summary),
            ),
            SurveyLoop(database),
        )
    finally:
        # Closed, not dropped: the next member would wait for this one's session.
        await consumer.close()
        await producer.close()
        await broker.close()
        await health.stop()
        await database.close()


if __name__ == "__main__":
    sys.exit(main())
