"""Jobs that end, and what became of telling about them."""

import asyncio
from collections.abc import Awaitable, Callable
from datetime import timedelta
from typing import Any
from uuid import UUID

from jobs.ids import new_id
from jobs.operations.cancel import cancel
from jobs.store.endpoint_store import create_endpoint
from notifier.sending_loop import SendingLoop
from notifier.signatures import new_secret
from plumbing.database import Database
from plumbing.sealing import MasterKey
from tests.builders import TenantForTests, a_job, rows
from tests.fixtures.database import MASTER_KEY


async def an_ended_job(
    database: Database, tenant: TenantForTests, **changes: Any
) -> UUID:
    """A job that its owner cancelled, which writes the event and its deliveries."""
    job = await a_job(database, tenant, **changes)
    async with database.statement() as tx:
        assert await cancel(tx, job, tenant_id=tenant.id) == "cancelled"
    return job


def to_url(url: str) -> dict[str, Any]:
    return {"webhook_url": url, "webhook_lane": "host:" + url.split("/")[2]}


def sealed_for(endpoint_id: UUID, secret: str) -> bytes:
    label = f"webhook-secret:{endpoint_id.hex}"
    return MasterKey(MASTER_KEY).seal(secret.encode(), label=label)


async def an_endpoint(
    database: Database, tenant: TenantForTests, url: str
) -> tuple[UUID, str]:
    endpoint_id, secret = new_id(), new_secret()
    async with database.transaction() as tx:
        await create_endpoint(
            tx,
            endpoint_id,
            tenant_id=tenant.id,
            url=url,
            description="",
            sealed_secret=sealed_for(endpoint_id, secret),
        )
    return endpoint_id, secret


async def send_due(loop: SendingLoop) -> int:
    """One round, and all that it set on its way."""
    claimed = await loop.run_once()
    await loop.settle()
    return claimed


async def delivery_of(database: Database, job: UUID) -> Any:
    (found,) = await rows(
        database, "SELECT * FROM delivery WHERE job_id = :job", job=job
    )
    return found


async def attempts_of(database: Database, delivery_id: UUID) -> list[Any]:
    return await rows(
        database,
        "SELECT * FROM delivery_attempt WHERE delivery_id = :id ORDER BY number",
        id=delivery_id,
    )


async def has_state(database: Database, job: UUID, state: str) -> bool:
    """Whether the delivery that tells of the job has come so far."""
    return bool((await delivery_of(database, job)).state == state)


async def attempt_ended(database: Database, *, count: int = 1) -> bool:
    """Whether so many attempts are written down."""
    return len(await rows(database, "SELECT 1 FROM delivery_attempt")) >= count


async def make_due(database: Database) -> None:
    """Let the time of every waiting delivery come."""
    await rows(
        database,
        "UPDATE delivery SET next_at = statement_timestamp() WHERE state = 'due'"
        " RETURNING id",
    )


async def eventually(
    happened: Callable[[], Awaitable[bool] | bool],
    *,
    within: timedelta = timedelta(seconds=10),
) -> None:
    async with asyncio.timeout(within.total_seconds()):
        while True:
            said = happened()
            if said if isinstance(said, bool) else await said:
                return
            await asyncio.sleep(0.01)
