"""What is done with a request for a summary: the steps, in their order.

Read, look for an earlier use of the key, check, choose the tier, take that tier's
path. Each step is a module of its own; here stands only which follows which, and that
a taken key is answered with the first job whenever it is noticed.
"""

from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

from fastapi import Request
from starlette.types import Receive

from gateway.context import Gateway
from gateway.job_access import read_job, read_result
from gateway.ordering.batch_admission import admit, clear_lapsed
from gateway.ordering.idempotency import Key, find_first_job, get_first_job, read_key
from gateway.ordering.orders import Order
from gateway.ordering.realtime_call import Finished, KeyTaken, call_engine, reserving
from gateway.ordering.receivers import check_receivers
from gateway.ordering.routing import NoRoute, Route, choose_tier
from gateway.ordering.submission import read_submission
from gateway.parts.authentication import Caller
from gateway.problems.answers import RequestRefused, field_refused
from gateway.requests.preferences import Preferences
from gateway.requests.strict_json import read_json
from jobs.ids import new_id
from jobs.job import Job
from jobs.lifecycle import State, Tier
from plumbing.database import DatabaseUnavailable
from plumbing.engine_pool import EnginePool

# What a `tier: realtime` caller is told of; everything else is want of capacity.
_BAD_OUTPUT = frozenset({"output_unusable", "prompt_cut"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """The job that stands for the request, and how it came to do so."""

    job: Job
    summary: str | None = None
    citations: list[dict[str, Any]] | None = None
    is_replay: bool = False
    may_wait: bool = False


async def take_order(
    raw: bytes,
    request: Request,
    *,
    caller: Caller,
    preferences: Preferences,
    gateway: Gateway,
) -> Outcome:
    """Make the request a job, or find the job that it made before."""
    document = read_json(raw)
    header = request.headers.get("idempotency-key")
    key = read_key(header, document, pepper=gateway.pepper)
    if key is None:
        order = await _check(document, caller, None, gateway=gateway)
        return await _fulfil(order, preferences, request.receive, gateway=gateway)
    # Before any check that time may turn: a repeat gets its job whatever the hour.
    first = await find_first_job(gateway.database, caller.tenant_id, key)
    if first is not None:
        return await _replay(first, caller, gateway)
    order = await _check(document, caller, key, gateway=gateway)
    try:
        return await _fulfil(order, preferences, request.receive, gateway=gateway)
    except KeyTaken:
        first = await get_first_job(gateway.database, caller.tenant_id, key)
        return await _replay(first, caller, gateway)


async def wait_for_end(
    outcome: Outcome, *, wait: timedelta | None, caller: Caller, gateway: Gateway
) -> Outcome:
    """Wait for a job in batch, if that is wished, and read it again."""
    if outcome.job.is_final or not wait:
        return outcome
    await gateway.watcher.wait_final(outcome.job.id, wait)
    try:
        seen = await _read(outcome.job.id, caller, gateway)
    except DatabaseUnavailable:
        return outcome  # accepted is accepted, whether it can be read now or not
    return replace(seen, is_replay=outcome.is_replay)


async def _check(
    document: Any, caller: Caller, key: Key | None, *, gateway: Gateway
) -> Order:
    settings, now = gateway.settings, datetime.now(UTC)
    wanted = read_submission(
        document, now=now, max_characters=settings.text_max_characters
    )
    return Order(
        job_id=new_id(),
        tenant_id=caller.tenant_id,
        wanted=wanted,
        receivers=await check_receivers(
            wanted.delivery, tenant_id=caller.tenant_id, gateway=gateway
        ),
        tokens=await gateway.engines.count(wanted.text),
        threshold=gateway.engines.threshold(wanted.options.length),
        key=key,
        received_at=now,
    )


async def _fulfil(
    order: Order, preferences: Preferences, receive: Receive, *, gateway: Gateway
) -> Outcome:
    pool = gateway.engines.pool
    time_left = order.wanted.deadline - order.received_at
    route = choose_tier(
        order.tokens,
        asked=order.wanted.tier,
        threshold=order.threshold,
        pool=pool.state if pool else None,
        time_left=time_left,
        prefer_async=preferences.respond_async or preferences.wait == timedelta(0),
        is_paused=gateway.pauses.is_realtime_paused(order.tenant_id),
    )
    if isinstance(route, NoRoute):
        raise _no_route(route, order)
    if pool is None or route.tier is Tier.BATCH:
        return Outcome(job=await _admit(order, route, gateway), may_wait=True)
    wished = preferences.wait or gateway.settings.realtime_limit
    limit = min(wished, time_left)
    async with reserving(order, limit=limit, gateway=gateway):
        return await _call(
            order, route, pool=pool, limit=limit, gateway=gateway, receive=receive
        )


async def _call(
    order: Order,
    route: Route,
    *,
    pool: EnginePool,
    limit: timedelta,
    gateway: Gateway,
    receive: Receive,
) -> Outcome:
    called = await call_engine(
        order, route, pool=pool, limit=limit, gateway=gateway, receive=receive
    )
    if isinstance(called, Finished):
        return Outcome(
            job=called.job, summary=called.summary, citations=called.citations
        )
    if order.wanted.tier == "realtime":
        is_bad = called.reason in _BAD_OUTPUT
        raise RequestRefused(
            "model_output_invalid" if is_bad else "realtime_unavailable"
        )
    onward = Route(Tier.BATCH, called.reason)
    has_key = order.key is not None
    job = await admit(order, onward, gateway=gateway, is_reserved=has_key)
    if job is None:
        raise KeyTaken
    return Outcome(job=job)


async def _admit(order: Order, route: Route, gateway: Gateway) -> Job:
    job = await admit(order, route, gateway=gateway)
    if job is not None:
        return job
    if order.key is not None:
        first = await find_first_job(gateway.database, order.tenant_id, order.key)
        if first is None:
            await clear_lapsed(order, gateway=gateway)
            job = await admit(order, route, gateway=gateway)
    if job is None:
        raise KeyTaken
    return job


async def _replay(job_id: UUID, caller: Caller, gateway: Gateway) -> Outcome:
    seen = await _read(job_id, caller, gateway)
    return replace(seen, is_replay=True, may_wait=not seen.job.is_final)


async def _read(job_id: UUID, caller: Caller, gateway: Gateway) -> Outcome:
    job = await read_job(gateway, job_id, tenant_id=caller.tenant_id)
    if job.state is not State.SUCCEEDED:
        return Outcome(job=job)
    result = await read_result(gateway, job)
    return Outcome(job=job, summary=result.summary, citations=result.citations)


def _no_route(route: NoRoute, order: Order) -> RequestRefused:
    if route.code == "text_too_long_for_realtime":
        figures = {"limit": order.threshold, "size": order.tokens}
        return field_refused(route.code, "/text", **figures)
    return RequestRefused(route.code)
