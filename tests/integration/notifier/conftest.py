"""A notifier on a real database, told to look often and to wait briefly."""

import time
from collections.abc import AsyncIterator
from datetime import timedelta
from ipaddress import IPv4Network
from typing import Protocol

import pytest
from prometheus_client import CollectorRegistry

from notifier.courier import Courier
from notifier.lanes import LaneWatch
from notifier.mail import Sender
from notifier.metrics import NotifierMetrics
from notifier.sending_loop import MAX_PER_TENANT, Pace, SendingLoop
from notifier.smtp import MailSender, Relay
from notifier.webhook_sender import WebhookSender
from plumbing.clock import SystemClock
from plumbing.database import Database
from plumbing.sealing import MasterKey
from tests.database_clock import DatabaseClock
from tests.integration.notifier.receivers import Receiver
from tests.integration.notifier.relay import ScriptedRelay

HERE = (IPv4Network("127.0.0.1/32"),)
SENDER = Sender(address="precis@mail.example.com", public_url="https://precis.example")


def a_mail_sender(relay_port: int, *, limit: float = 5) -> MailSender:
    return MailSender(
        Relay(host="127.0.0.1", port=relay_port, security="none"),
        our_name="mail.example.com",
        time_limit=timedelta(seconds=limit),
    )


class MakeLoop(Protocol):
    def __call__(
        self,
        *,
        relay_port: int = 1,
        limit: float = 5,
        idle: float = 0.02,
        clock: DatabaseClock | None = None,
    ) -> SendingLoop: ...


@pytest.fixture
async def make_loop(
    database: Database, master_key: MasterKey
) -> AsyncIterator[MakeLoop]:
    couriers: list[Courier] = []

    def make(
        *,
        relay_port: int = 1,
        limit: float = 5,
        idle: float = 0.02,
        clock: DatabaseClock | None = None,
    ) -> SendingLoop:
        metrics = NotifierMetrics(CollectorRegistry())
        courier = Courier(
            database=database,
            master_key=master_key,
            webhooks=WebhookSender(
                allow_networks=HERE,
                clock=SystemClock(),
                time_limit=timedelta(seconds=limit),
            ),
            mails=a_mail_sender(relay_port, limit=limit),
            sender=SENDER,
            metrics=metrics,
        )
        couriers.append(courier)
        return SendingLoop(
            database,
            courier,
            lanes=LaneWatch(
                max_per_tenant=MAX_PER_TENANT,
                clock=clock.seconds if clock else time.monotonic,
            ),
            metrics=metrics,
            clock=clock or SystemClock(),
            pace=Pace(
                webhook_lease=timedelta(seconds=30),
                mail_lease=timedelta(seconds=30),
                idle=timedelta(seconds=idle),
                sweep=timedelta(0),
                farewell=timedelta(seconds=1),
            ),
        )

    yield make
    for courier in couriers:
        await courier.close()


@pytest.fixture
def clock(database_url: str) -> DatabaseClock:
    """The database's time stands still; ask for it before anything that connects."""
    return DatabaseClock(database_url)


@pytest.fixture
async def relay() -> AsyncIterator[ScriptedRelay]:
    async with ScriptedRelay() as started:
        yield started


@pytest.fixture
async def receiver() -> AsyncIterator[Receiver]:
    async with Receiver() as started:
        yield started
