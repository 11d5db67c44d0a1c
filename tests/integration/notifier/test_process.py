"""`python -m notifier` as an operator meets it; its faults are in tests/faults."""

import signal
from datetime import timedelta

import httpx

from plumbing.database import Database
from tests.builders import a_tenant
from tests.integration.notifier.endings import (
    an_ended_job,
    delivery_of,
    eventually,
    to_url,
)
from tests.integration.notifier.notifier_process import a_notifier
from tests.integration.notifier.receivers import Receiver

CANARY = "canary-of-the-url"


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
        notifier.signal(signal.SIGTERM)
        assert await notifier.ended() == 0
        log = notifier.log
    assert (await delivery_of(database, job)).state == "delivered"
    assert "notifier.stopped" in log
    assert CANARY not in log


async def test_it_says_what_it_lacks(database_url: str) -> None:
    async with a_notifier(database_url, PRECIS_MASTER_KEY="short") as notifier:
        assert await notifier.ended() == 2
        assert "PRECIS_MASTER_KEY" in notifier.log
