"""Tenants and jobs for tests: every default is valid, name only what matters."""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID, uuid4

from sqlalchemy import text as sql

from jobs.api_keys import ApiKey
from jobs.ids import new_id
from jobs.operations.claim import Claim, claim
from jobs.operations.submit import NewJob, Submission, submit
from jobs.store.sealed import JobSeal
from jobs.store.tenant_store import create_key, create_tenant
from plumbing.database import Database
from plumbing.sealing import DataKey, MasterKey
from tests.fixtures.database import MASTER_KEY, PEPPER

WEBHOOK_SECRET = "whsec_" + "c2VjcmV0LW9mLXRoZS10ZXN0cy0zMi1ieXRlcy1sb25n"
A_TEXT = "The council voted for electric buses. They will be delivered next spring."


@dataclass(frozen=True)
class TenantForTests:
    id: UUID
    api_key: str
    webhook_secret: str = WEBHOOK_SECRET


async def a_tenant(
    database: Database, *, name: str | None = None, weight: float = 1
) -> TenantForTests:
    tenant_id, key = uuid4(), ApiKey.generate()
    master = MasterKey(MASTER_KEY)
    sealed = master.seal(
        WEBHOOK_SECRET.encode(), label=f"webhook-secret:{tenant_id.hex}"
    )
    async with database.transaction() as tx:
        await create_tenant(
            tx,
            tenant_id,
            name=name or f"tenant {tenant_id.hex[:8]}",
            owner_email="owner@example.com",
            weight=weight,
            webhook_secret=sealed,
        )
        await create_key(
            tx,
            key.id,
            tenant_id=tenant_id,
            name="tests",
            secret_hmac=key.hmac(PEPPER.encode()),
            expires_at=None,
        )
    return TenantForTests(tenant_id, key.shown())


def a_submission(tenant_id: UUID, **changes: Any) -> Submission:
    """A text that is about to be admitted; `text` seals another one."""
    text = changes.pop("text", A_TEXT)
    reserved = changes.pop("reserved", False)
    job_id = changes.pop("id", None) or new_id()
    seal = JobSeal(job_id, DataKey.generate())
    values: dict[str, Any] = {
        "tier": "batch",
        "routing_reason": "asked",
        "tokens": max(1, len(text) // 4),
        "threshold": 3000,
        "characters": len(text),
        "options": {"length": "medium", "citations": False},
        "delivery": None,
        "metadata": {},
        "deadline": datetime.now(UTC) + timedelta(hours=24),
        "idempotency_key": None,
        "fingerprint": None,
    } | changes
    job = NewJob(
        id=job_id,
        tenant_id=tenant_id,
        wrapped_key=seal.wrapped(MasterKey(MASTER_KEY)),
        **values,
    )
    return Submission(job=job, sealed_text=seal.seal_text(text), reserved=reserved)


async def a_job(database: Database, tenant: TenantForTests, **changes: Any) -> UUID:
    """A job that waits in the batch tier."""
    submission = a_submission(tenant.id, **changes)
    async with database.statement() as tx:
        assert await submit(tx, [submission]) == {submission.job.id}
    return submission.job.id


async def claim_jobs(
    database: Database,
    *,
    count: int = 1,
    lease: timedelta = timedelta(seconds=60),
    worker_id: str = "worker-of-the-tests",
) -> list[Claim]:
    async with database.statement() as tx:
        return await claim(
            tx, count=count, worker_id=worker_id, lease=lease, whole=True
        )


async def rows(database: Database, statement: str, **values: Any) -> list[Any]:
    """What a hand-written query sees, committed data only."""
    async with database.statement() as tx:
        return list(await tx.execute(sql(statement), values))


async def by_force(database: Database, statement: str, **values: Any) -> list[Any]:
    """What the database refuses by hand: its guards look away for this transaction."""
    async with database.transaction() as tx:
        await tx.execute(sql("SET LOCAL session_replication_role = replica"))
        found = await tx.execute(sql(statement), values)
        return list(found) if found.returns_rows else []
