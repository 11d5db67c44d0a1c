"""What the dispatchers and the operator do, and the passing of time."""

import asyncio
from datetime import timedelta
from random import Random
from typing import Final

from jobs.operations.idempotency import forget_old_keys
from jobs.operations.leave import sweep_lapsed
from jobs.operations.requeue import Selection, fail_living, requeue_waiting
from jobs.operations.retain import drop_events, drop_summaries, drop_texts
from jobs.operations.wait import expire_overdue, wake_due
from jobs.store.pause_store import Scope, begin_pause, begin_resume, list_pauses
from tests.model.world import KEPT, Actor, Answer
from workers.dispatcher.pause_loop import PauseLoop

PAUSE_AFTER_LOSS: Final = timedelta(seconds=2)
_SPANS: Final = (
    *(timedelta(seconds=seconds) for seconds in (1, 3, 15, 31, 61, 61, 61)),
    *(timedelta(minutes=minutes) for minutes in (3, 31, 61)),
)
_LONG_SPANS: Final = tuple(timedelta(hours=hours) for hours in (25, 73, 30 * 24 + 1))


async def pass_time(actor: Actor, choice: Random) -> Answer:
    spans = _LONG_SPANS if choice.random() < 0.01 else _SPANS
    actor.world.clock.move_on(choice.choice(spans))
    return Answer(act="time")


async def sweep(actor: Actor, choice: Random) -> Answer:
    async with actor.acting("sweep") as tx:
        told = await sweep_lapsed(tx, pause=PAUSE_AFTER_LOSS)
    return Answer(act="sweep", told=dict(told))


async def wake(actor: Actor, choice: Random) -> Answer:
    async with actor.acting("wake") as tx:
        count = await wake_due(tx)
    return Answer(act="wake", count=count)


async def expire(actor: Actor, choice: Random) -> Answer:
    async with actor.acting("expire") as tx:
        told = await expire_overdue(tx)
    return Answer(act="expire", told=dict.fromkeys(told, "expired"))


async def retain(actor: Actor, choice: Random) -> Answer:
    async with actor.acting("retain") as tx:
        dropped = await drop_texts(tx, KEPT)
    async with actor.acting("retain", together=True) as tx:
        dropped += await drop_summaries(tx, KEPT)
    async with actor.acting("retain") as tx:
        dropped += await drop_events(tx)
        await forget_old_keys(tx)
    return Answer(act="retain", count=dropped)


async def requeue(actor: Actor, choice: Random) -> Answer:
    tenant = choice.choice(actor.world.tenants)
    async with actor.acting("requeue") as tx:
        told = await requeue_waiting(tx, Selection(tenant_id=tenant.id))
    return Answer(act="requeue", told=dict.fromkeys(told, "queued"))


async def fail_by_hand(actor: Actor, choice: Random) -> Answer:
    job_id, _ = choice.choice(actor.world.known)
    async with actor.acting("fail") as tx:
        told = await fail_living(tx, Selection(ids=[job_id]), code="ended_by_operator")
    return Answer(act="fail", given={job_id: None}, told=dict.fromkeys(told))


async def pause(actor: Actor, choice: Random) -> Answer:
    """Pause something, or let what is paused go on: more often the latter."""
    async with actor.acting("pause") as tx:
        pauses = await list_pauses(tx)
        if pauses:
            chosen = choice.choice(pauses)
            await begin_resume(tx, chosen.scope, chosen.name, actor="model")
        elif choice.random() < 0.8:
            tenant = choice.choice(actor.world.tenants).id
            await begin_pause(
                tx, Scope.TENANT, str(tenant), tenant_id=tenant, actor="model"
            )
        else:
            await begin_pause(tx, Scope.TIER, "batch", tenant_id=None, actor="model")
    return Answer(act="pause")


async def move(actor: Actor, choice: Random) -> Answer:
    """The dispatcher's walk; two at once are not what happens, but do no harm."""
    async with actor.acting("move"):
        pass  # said on this actor's only connection, which the walk uses
    await PauseLoop(actor.database).run_once(asyncio.Event())
    return Answer(act="move")
