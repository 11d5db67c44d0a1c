"""The batch path of a request: seal the text, commit the job, and it is ours.

The commit comes before the answer; from then on nothing but Postgres is needed to
keep the promise.
"""

from gateway.context import Gateway
from gateway.metrics import ROUTED, TEXT_TOKENS
from gateway.ordering.orders import Order, queued_job
from gateway.ordering.routing import Route
from jobs.job import Job
from jobs.operations.idempotency import clear_lapsed_key
from jobs.operations.submit import Submission
from jobs.store.backlog_store import Load
from jobs.store.sealed import JobSeal
from plumbing.sealing import DataKey


async def admit(
    order: Order, route: Route, *, gateway: Gateway, is_reserved: bool = False
) -> Job | None:
    """Commit the job; None: its idempotency key is taken, and nothing was written.

    Raises `RequestRefused` where too much waits already. Until Postgres tells what was
    stored, a text counts with its characters.
    `is_reserved`: a realtime call that is handed over holds the key already.
    """
    gateway.backlog.admit(order.tenant_id, Load(1, len(order.wanted.text)))
    seal = JobSeal(order.job_id, DataKey.generate())
    new = order.new_job(route, wrapped_key=seal.wrapped(gateway.master_key))
    sealed_text = seal.seal_text(order.wanted.text)
    submission = Submission(job=new, sealed_text=sealed_text, reserved=is_reserved)
    if not await gateway.recorder.submit(submission):
        return None
    ROUTED.labels(route.tier.value, route.reason).inc()
    TEXT_TOKENS.labels(route.tier.value).inc(order.tokens)
    return queued_job(new, created_at=order.received_at)


async def clear_lapsed(order: Order, *, gateway: Gateway) -> None:
    """Make room where an old key or a lapsed reservation stands in the way."""
    if order.key is not None:
        async with gateway.database.statement() as tx:
            await clear_lapsed_key(tx, order.tenant_id, order.key.value)
