"""What batch workers do with jobs they hold, and go on doing with jobs they lost."""

from random import Random
from typing import Final

from jobs.errors import LeaseLost
from jobs.lifecycle import State
from jobs.operations.claim import Claim, claim, renew_leases
from jobs.operations.leave import Departure, OnlyChunk, SealedResult, leave
from jobs.retry_policy import (
    ATTEMPT_STUCK,
    ENGINE_AWAY,
    OUTPUT_UNUSABLE,
    PROMPT_CUT,
    UNEXPECTED,
    decide,
)
from jobs.store.chunk_store import (
    ChunkResult,
    ChunkRow,
    PlannedChunk,
    list_chunks,
    plan_chunks,
    store_results,
)
from jobs.store.content_store import get_text
from tests.model.world import LEASE, SHORT, Actor, Answer

_FAILURES: Final = (
    ENGINE_AWAY,
    OUTPUT_UNUSABLE,
    PROMPT_CUT,
    UNEXPECTED,
    ATTEMPT_STUCK,
)


async def claim_jobs(actor: Actor, choice: Random) -> Answer:
    count, whole = choice.randint(1, 4), choice.random() < 0.7
    async with actor.acting("claim") as tx:
        claims = await claim(
            tx,
            count=count,
            worker_id=f"worker {actor.number}",
            lease=LEASE,
            whole=whole,
        )
    actor.remember(claims)
    given = {"count": count, "whole": whole}
    return Answer(
        act="claim",
        given={actor.world.tenants[0].id: given},
        told={c.id: (c.fence, c.attempt) for c in claims},
    )


async def start(actor: Actor, choice: Random) -> Answer:
    """Read the text, and plan the chunks of a long one."""
    held = choice.choice(actor.claims)
    async with actor.acting("start") as tx:
        try:
            await get_text(tx, held.id, fence=held.fence)
        except LeaseLost:
            return Answer(act="start", given={held.id: held.fence})
        if held.characters == SHORT:
            return Answer(act="start")
        told = await plan_chunks(tx, _plan(held))
    return Answer(
        act="start", given={held.id: held.fence}, told=dict.fromkeys(told, held.fence)
    )


async def heartbeat(actor: Actor, choice: Random) -> Answer:
    """As a worker does: all at once, unless it has noticed by itself which are lost."""
    some = choice.sample(actor.claims, choice.randint(1, len(actor.claims)))
    latest = {held.id: held for held in some}  # one process holds a job once
    async with actor.acting("heartbeat") as tx:
        told = await renew_leases(tx, list(latest.values()), lease=LEASE)
    return Answer(
        act="heartbeat",
        given={held.id: held.fence for held in latest.values()},
        told={job_id: latest[job_id].fence for job_id in told},
    )


async def store_chunk(actor: Actor, choice: Random) -> Answer:
    held = choice.choice([c for c in actor.claims if c.characters != SHORT])
    async with actor.acting("store") as tx:
        told = await store_results(tx, [_result(held, choice.randint(0, 1))])
    return Answer(
        act="store", given={held.id: held.fence}, told=dict.fromkeys(told, held.fence)
    )


async def finish(actor: Actor, choice: Random) -> Answer:
    """Succeed with what is stored; what is missing is stored first."""
    held = choice.choice(actor.claims)
    if held.characters != SHORT:
        async with actor.acting("store") as tx:
            await plan_chunks(tx, _plan(held))
            rows = await list_chunks(tx, held.id)
            missing = [_result(held, row.idx) for row in rows if not row.is_done]
            if missing and not await store_results(tx, missing):
                return Answer(act="start")  # lost, and the worker knows it
            if not rows:
                return Answer(act="start")
    result = SealedResult(
        summary=b"sealed",
        citations=b"sealed",
        prompt_tokens=1,
        completion_tokens=1,
        provenance={},
        only_chunk=OnlyChunk(start=0, end=SHORT, tokens=1, sealed=b"sealed")
        if held.characters == SHORT
        else None,
    )
    return await _leave(
        actor,
        Departure(id=held.id, fence=held.fence, wish=State.SUCCEEDED, result=result),
    )


async def fail(actor: Actor, choice: Random) -> Answer:
    held = choice.choice(actor.claims)
    verdict = decide(
        choice.choice(_FAILURES),
        attempt=held.attempt,
        stored_chunks=choice.random() < 0.2,
        lease=LEASE,
    )
    return await _leave(
        actor,
        Departure(
            id=held.id,
            fence=held.fence,
            wish=verdict.state,
            counts=verdict.counts,
            retry_after=verdict.retry_after,
            error_code=verdict.error_code,
        ),
    )


async def hand_back(actor: Actor, choice: Random) -> Answer:
    held = choice.choice(actor.claims)
    return await _leave(
        actor,
        Departure(id=held.id, fence=held.fence, wish=State.QUEUED, counts=False),
    )


async def _leave(actor: Actor, departure: Departure) -> Answer:
    async with actor.acting("leave") as tx:
        told = await leave(tx, [departure])
    return Answer(
        act="leave",
        given={departure.id: (departure.fence, departure.wish)},
        told={each: (departure.fence, state) for each, state in told.items()},
    )


def _plan(held: Claim) -> list[PlannedChunk]:
    half = held.characters // 2
    return [
        PlannedChunk(
            row=ChunkRow(
                job_id=held.id,
                stage=0,
                idx=n,
                start=n * half,
                end=n * half + half,
                tokens=1,
            ),
            fence=held.fence,
        )
        for n in range(2)
    ]


def _result(held: Claim, idx: int) -> ChunkResult:
    return ChunkResult(
        job_id=held.id,
        fence=held.fence,
        stage=0,
        idx=idx,
        sealed=b"sealed",
        prompt_tokens=1,
        completion_tokens=1,
    )
