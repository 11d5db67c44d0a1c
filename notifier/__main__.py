"""Start the messenger: `python -m notifier`. The composition root of the process.

Reads the settings, builds what the loop needs, opens the probes, and runs until
SIGTERM: then nothing new is claimed and what is being sent may end.
"""

import asyncio
import sys

import structlog

from jobs.master_key import require_master_key
from notifier.courier import Courier
from notifier.lanes import LaneWatch
from notifier.mail import Sender
from notifier.metrics import NotifierMetrics
from notifier.notice_loop import NoticeLoop
from notifier.sending_loop import MAX_PER_TENANT, Pace, SendingLoop
from notifier.settings import NotifierSettings
from notifier.smtp import MailSender
from notifier.webhook_sender import WebhookSender
from plumbing import failpoints
from plumbing.clock import SystemClock
from plumbing.database import Database
from plumbing.health import HealthServer
from plumbing.logs import configure_logs
from plumbing.process import run, supervise_loops
from plumbing.sealing import KeyMalformed, MasterKey
from plumbing.settings import SettingsRefused, read_settings

log = structlog.get_logger()


def main() -> int:
    try:
        settings = read_settings(NotifierSettings)
        master_key = MasterKey(*settings.master_keys)
    except (SettingsRefused, KeyMalformed) as error:
        print(error, file=sys.stderr)  # noqa: T201 - logs are not configured yet
        return 2
    configure_logs(settings, service="notifier")
    failpoints.arm(settings.failpoints)

    async def notify_until(stop: asyncio.Event) -> None:
        await _notify(settings, master_key, stop=stop)

    return run(notify_until)


async def _notify(
    settings: NotifierSettings, master_key: MasterKey, *, stop: asyncio.Event
) -> None:
    database = Database(
        settings.database_url.get_secret_value(),
        pool_size=settings.database_pool_size,
        application="precis-notifier",
        # An outcome must be written before the lease ends, not after a long silence.
        told_apart=True,
    )
    health = HealthServer(
        settings.health_host, settings.health_port, checks={"database": database.ping}
    )
    metrics = NotifierMetrics()
    courier = _courier(settings, master_key, database=database, metrics=metrics)
    await health.start()
    log.info("notifier.started", health_port=health.port)
    try:
        await require_master_key(database, master_key, stop=stop)
        await supervise_loops(
            stop,
            _loop(settings, courier, database=database, metrics=metrics),
            _notices(settings, database),
        )
    finally:
        await courier.close()
        await health.stop()
        await database.close()
    log.info("notifier.stopped")


def _courier(
    settings: NotifierSettings,
    master_key: MasterKey,
    *,
    database: Database,
    metrics: NotifierMetrics,
) -> Courier:
    sender = _sender(settings)
    return Courier(
        database=database,
        master_key=master_key,
        webhooks=WebhookSender(
            allow_networks=settings.webhook_allow_networks,
            clock=SystemClock(),
            time_limit=settings.delivery_lease / 2,
        ),
        mails=MailSender(
            settings.relay,
            our_name=sender.domain,
            time_limit=settings.delivery_lease,
        ),
        sender=sender,
        metrics=metrics,
    )


def _loop(
    settings: NotifierSettings,
    courier: Courier,
    *,
    database: Database,
    metrics: NotifierMetrics,
) -> SendingLoop:
    return SendingLoop(
        database,
        courier,
        lanes=LaneWatch(max_per_tenant=MAX_PER_TENANT),
        metrics=metrics,
        clock=SystemClock(),
        pace=Pace(
            webhook_lease=settings.delivery_lease,
            # A relay may take twice as long as a webhook.
            mail_lease=2 * settings.delivery_lease,
            sweep=settings.delivery_lease / 6,
        ),
    )


def _notices(settings: NotifierSettings, database: Database) -> NoticeLoop:
    sender = _sender(settings)
    # A stop waits for the notice on its way: no longer than for a webhook.
    mails = MailSender(
        settings.relay, our_name=sender.domain, time_limit=settings.delivery_lease / 2
    )
    return NoticeLoop(database, mails, sender=sender, lease=settings.delivery_lease)


def _sender(settings: NotifierSettings) -> Sender:
    return Sender(address=settings.mail_from, public_url=settings.public_url)


if __name__ == "__main__":
    sys.exit(main())
