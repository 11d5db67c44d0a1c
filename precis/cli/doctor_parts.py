"""Kafka, Valkey and the mail relay as the doctor sees them: asked as our processes ask.

Each check reads its own settings and is bounded in time; an answer that does not come
is a finding, not an error.
"""

from datetime import timedelta
from pathlib import Path
from typing import Final

from notifier.settings import NotifierSettings
from notifier.smtp import MailSender
from plumbing.kafka_records import KafkaUnavailable
from plumbing.kafka_topics import count_partitions
from plumbing.settings import BrokerSettings, KafkaSettings, SettingsRefused
from precis.cli.doctor_findings import Finding, fail, ok
from precis.cli.operating import read_told
from workers.celery_app import create_celery
from workers.dispatcher.broker import Broker, BrokerUnavailable

_PATIENCE: Final = timedelta(seconds=5)
_NOT_READ: Final = "its settings cannot be read"
_SEE_SETTINGS: Final = "Correct the settings named above."


async def check_kafka(data: Path) -> list[Finding]:
    try:
        settings = read_told(KafkaSettings, data=data)
    except SettingsRefused:
        return [fail("kafka", _NOT_READ, remedy=_SEE_SETTINGS)]
    names = (settings.kafka_topic, settings.kafka_dead_letter_topic)
    try:
        counts = await count_partitions(settings, names)
    except KafkaUnavailable as error:
        return [
            fail(
                *("kafka", f"no answer ({error})"),
                remedy="Check PRECIS_KAFKA_BOOTSTRAP and its login, and that it runs. "
                "Meanwhile texts are accepted and wait in Postgres.",
            )
        ]
    return [_check_topic(name, counts.get(name, 0)) for name in names]


def _check_topic(name: str, partitions: int) -> Finding:
    if partitions == 0:
        return fail(
            *("kafka", f"there is no topic {name}, or nobody leads it"),
            remedy="Make it; its partitions are how many dispatchers can share it.",
        )
    return ok("kafka", f"topic {name}, {partitions} partitions")


async def check_valkey(data: Path) -> list[Finding]:
    try:
        settings = read_told(BrokerSettings, data=data)
        url = settings.redis_url.get_secret_value()
        broker = Broker(create_celery(url), url)
    except SettingsRefused:
        return [fail("valkey", _NOT_READ, remedy=_SEE_SETTINGS)]
    except ValueError:
        remedy = "PRECIS_REDIS_URL looks like redis://:password@host:6379/0."
        return [fail("valkey", "its address is none", remedy=remedy)]
    try:
        waiting = await broker.count_waiting()
    except BrokerUnavailable as error:
        return [
            fail(
                *("valkey", f"no answer ({error})"),
                remedy="Check PRECIS_REDIS_URL and its password, and that it runs. "
                "Meanwhile no long text is begun; none is lost.",
            )
        ]
    finally:
        await broker.close()
    return [ok("valkey", f"{waiting} messages wait for workers")]


_MAIL_REMEDIES: Final = {
    "relay_refused_us": "Check PRECIS_SMTP_USERNAME, _PASSWORD and _SECURITY.",
    "timeout": "Something swallows the connection: a firewall, or a frozen relay.",
}


async def check_mail(data: Path) -> list[Finding]:
    try:
        settings = read_told(NotifierSettings, data=data)
    except SettingsRefused:
        return [fail("mail", _NOT_READ, remedy=_SEE_SETTINGS)]
    place = f"{settings.smtp_host}:{settings.smtp_port} ({settings.smtp_security})"
    our_name = settings.mail_from.rpartition("@")[2]
    sender = MailSender(settings.relay, our_name=our_name, time_limit=_PATIENCE)
    trouble = await sender.greet()
    if trouble is None:
        return [ok("mail", f"the relay {place} greets and lets us in")]
    remedy = _MAIL_REMEDIES.get(
        trouble, "Check PRECIS_SMTP_HOST, _PORT and _SECURITY, and that it runs."
    )
    return [fail("mail", f"{place}: {trouble}", remedy=remedy)]
