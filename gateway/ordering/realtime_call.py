"""The realtime path of a request: reserve the key, ask the engine, record, answer.

Three steps as for every outside call: the reservation is committed first, nothing is
open while the engine works, and the answer is committed before it is sent. Whatever
ends the call early gives the reservation back.
"""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, Final

from starlette.requests import ClientDisconnect
from starlette.types import Receive

from gateway.context import Gateway
from gateway.metrics import HANDED_OVER, ROUTED, TEXT_TOKENS
from gateway.ordering.orders import Order, answered_job
from gateway.ordering.routing import Route
from jobs.ids import SUMMARY, show_id
from jobs.job import Job
from jobs.operations.answer import Answer
from jobs.operations.idempotency import release_key, reserve_key
from jobs.store.sealed import JobSeal
from plumbing.database import DatabaseUnavailable
from plumbing.engine_pool import EnginePool
from plumbing.sealing import DataKey
from realtime.serving import HandOver, Served, serve

_LEASE_SLACK: Final = timedelta(seconds=2)


@dataclass(frozen=True, slots=True)
class Finished:
    """A job that ended well, with what only its owner may see."""

    job: Job
    summary: str
    citations: list[dict[str, Any]] | None


class KeyTaken(Exception):
    """Another call holds the idempotency key: its job is the answer."""


@asynccontextmanager
async def reserving(
    order: Order, *, limit: timedelta, gateway: Gateway
) -> AsyncIterator[None]:
    """Hold the order's key, if it has one, for a call of at most `limit`.

    A reservation that the block did not turn into a job is given back.
    """
    key = order.key
    if key is None:
        yield
        return
    async with gateway.database.statement() as tx:
        is_ours = await reserve_key(
            tx,
            order.tenant_id,
            key.value,
            fingerprint=key.fingerprint,
            job_id=order.job_id,
            lease=limit + _LEASE_SLACK,
        )
    if not is_ours:
        raise KeyTaken
    try:
        yield
    except BaseException:
        # Without a database the lease ends it; a job that was stored stays.
        with suppress(DatabaseUnavailable):
            async with gateway.database.statement() as tx:
                await release_key(tx, order.tenant_id, key.value, order.job_id)
        raise


async def call_engine(
    order: Order,
    route: Route,
    *,
    pool: EnginePool,
    limit: timedelta,
    gateway: Gateway,
    receive: Receive,
) -> Finished | HandOver:
    """One summary inside `limit`, recorded; `ClientDisconnect` when nobody waits."""
    started_at = datetime.now(UTC)
    async with _until_caller_leaves(receive):
        outcome = await serve(
            order.wanted.text,
            length=order.wanted.options.length,
            with_citations=order.wanted.options.citations,
            pool=pool,
            limit=limit,
            request_id=f"{show_id(SUMMARY, order.job_id)}:0:0",
        )
    if isinstance(outcome, HandOver):
        HANDED_OVER.labels(outcome.reason).inc()
        return outcome
    return await _record(order, route, outcome, gateway, started_at=started_at)


async def _record(
    order: Order,
    route: Route,
    served: Served,
    gateway: Gateway,
    *,
    started_at: datetime,
) -> Finished:
    seal = JobSeal(order.job_id, DataKey.generate())
    cited = served.citations
    answer = Answer(
        job=order.new_job(route, wrapped_key=seal.wrapped(gateway.master_key)),
        started_at=started_at,
        finished_at=datetime.now(UTC),
        sealed_summary=seal.seal_summary(served.summary),
        sealed_citations=None if cited is None else seal.seal_citations(cited),
        prompt_tokens=served.prompt_tokens,
        completion_tokens=served.completion_tokens,
        provenance=served.provenance,
        warnings=served.warnings,
    )
    if not await gateway.recorder.record(answer):
        raise KeyTaken
    ROUTED.labels(route.tier.value, route.reason).inc()
    TEXT_TOKENS.labels(route.tier.value).inc(order.tokens)
    job = answered_job(answer, created_at=order.received_at)
    return Finished(job, served.summary, cited)


@asynccontextmanager
async def _until_caller_leaves(receive: Receive) -> AsyncIterator[None]:
    """Cancel the block, and raise `ClientDisconnect`, when the caller hangs up."""
    task = asyncio.current_task()
    assert task is not None  # noqa: S101  inside a coroutine there is one
    watch = asyncio.create_task(_hang_up(receive))
    is_watching = True

    def stop_work(done: asyncio.Task[None]) -> None:
        if is_watching and not done.cancelled():
            task.cancel()

    watch.add_done_callback(stop_work)
    try:
        yield
    except asyncio.CancelledError:
        has_left = watch.done() and not watch.cancelled()
        if has_left and task.uncancel() == 0:
            raise ClientDisconnect from None
        raise
    finally:
        is_watching = False
        watch.cancel()


async def _hang_up(receive: Receive) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass
