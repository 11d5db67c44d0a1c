"""`python -m notifier` as an operator meets it."""

import asyncio
import json
import os
import signal
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from datetime import timedelta

import httpx

from plumbing.database import Database
from tests.builders import a_tenant
from tests.fixtures.database import MASTER_KEY, login_url
from tests.integration.notifier import receivers
from tests.integration.notifier.endings import (
    an_ended_job,
    delivery_of,
    eventually,
    to_url,
)
from tests.integration.notifier.receivers import Receiver

CANARY = "canary-of-the-url"


class Notifier:
    """A running notifier and what it logged so far."""

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        self.process = process
        self.log = ""

    async def port(self) -> int:
        return int((await self.line("notifier.started"))["health_port"])

    async def line(self, event: str) -> dict[str, str]:
        assert self.process.stderr is not None
        async with asyncio.timeout(20):
            while raw := await self.process.stderr.readline():
                self.log += raw.decode()
                said: dict[str, str] = json.loads(raw)
                if said["event"] == event:
                    return said
        raise AssertionError(f"it ended without {event}:\n{self.log}")

    async def rest(self) -> str:
        assert self.process.stderr is not None
        self.log += (await self.process.stderr.read()).decode()
        return self.log


@asynccontextmanager
async def a_notifier(database_url: str, **settings: str) -> AsyncIterator[Notifier]:
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        "notifier",
        env={
            "PATH": os.environ["PATH"],
            "PRECIS_DATABASE_URL": login_url(database_url, "notifier"),
            "PRECIS_MASTER_KEY": MASTER_KEY,
            "PRECIS_WEBHOOK_ALLOW_NETWORKS": "127.0.0.1/32",
            "PRECIS_LOG_FORMAT": "json",
            **settings,
        },
        stderr=asyncio.subprocess.PIPE,
    )
    try:
        yield Notifier(process)
    finally:
        with suppress(ProcessLookupError):
            process.kill()
        await process.wait()


async def test_it_delivers_is_probed_and_stops_cleanly(
    database: Database, database_url: str, receiver: Receiver
) -> None:
    tenant = await a_tenant(database)
    async with a_notifier(database_url) as notifier:
        pages = f"http://127.0.0.1:{await notifier.port()}"
        url = f"{receiver.url}?{CANARY}"
        job = await an_ended_job(database, tenant, delivery=to_url(url))
        await eventually(lambda: bool(receiver.received), within=timedelta(seconds=5))
        async with httpx.AsyncClient() as client:
            assert (await client.get(f"{pages}/healthz")).status_code == 200
            assert (await client.get(f"{pages}/readyz")).json() == {"database": "ok"}
            metrics = (await client.get(f"{pages}/metrics")).text
        assert "precis_delivery_first_attempt_lag_seconds_count 1.0" in metrics
        notifier.process.send_signal(signal.SIGTERM)
        log = await notifier.rest()
        assert await notifier.process.wait() == 0
    assert (await delivery_of(database, job)).state == "delivered"
    assert "notifier.stopped" in log
    assert CANARY not in log


async def test_what_a_killed_notifier_held_is_delivered_by_another(
    database: Database, database_url: str, receiver: Receiver
) -> None:
    tenant = await a_tenant(database)
    receiver.behaviour = receivers.hang
    job = await an_ended_job(database, tenant, delivery=to_url(receiver.url))
    lease = {"PRECIS_DELIVERY_LEASE": "2"}
    async with a_notifier(database_url, **lease) as first:
        await first.port()
        await eventually(lambda: bool(receiver.received))
        first.process.kill()
        await first.process.wait()
    assert (await delivery_of(database, job)).state == "sending"
    receiver.behaviour = receivers.answer()
    async with a_notifier(database_url, **lease) as second:
        await second.line("delivery.attempted")
    delivery = await delivery_of(database, job)
    assert (delivery.state, delivery.attempt) == ("delivered", 1)
    ids = {request.headers["webhook-id"] for request in receiver.received}
    assert len(receiver.received) == 2
    assert len(ids) == 1


async def test_an_attempt_on_its_way_may_end_when_told_to_stop(
    database: Database, database_url: str, receiver: Receiver
) -> None:
    async def answer_slowly(writer: asyncio.StreamWriter) -> None:
        await may_answer.wait()
        await receivers.answer()(writer)

    may_answer = asyncio.Event()
    receiver.behaviour = answer_slowly
    tenant = await a_tenant(database)
    job = await an_ended_job(database, tenant, delivery=to_url(receiver.url))
    async with a_notifier(database_url) as notifier:
        await notifier.port()
        await eventually(lambda: bool(receiver.received))
        notifier.process.send_signal(signal.SIGTERM)
        await notifier.line("process.stopping")
        late = await an_ended_job(database, tenant, delivery=to_url(receiver.url))
        may_answer.set()
        assert await notifier.process.wait() == 0
    assert (await delivery_of(database, job)).state == "delivered"
    assert (await delivery_of(database, late)).state == "due"


async def test_it_says_what_it_lacks(database_url: str) -> None:
    async with a_notifier(database_url, PRECIS_MASTER_KEY="short") as notifier:
        log = await notifier.rest()
        assert await notifier.process.wait() == 2
    assert "PRECIS_MASTER_KEY" in log
