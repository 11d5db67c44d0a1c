"""What notifiers do with deliveries they hold, and go on doing with those they lost."""

from datetime import timedelta
from random import Random
from typing import Final

from notifier import outcome_store
from notifier.claim_store import (
    ClaimedDelivery,
    Restraint,
    claim_deliveries,
    sweep_lapsed,
)
from notifier.outcome_store import cancel_unsent, record_attempt
from notifier.outcomes import Outcome, Verdict, failed
from notifier.schedule import next_step
from tests.model.world import Actor, Answer

DELIVERY_LEASE: Final = timedelta(seconds=30)
_OUTCOMES: Final = (
    Outcome(verdict=Verdict.ACCEPTED, code=200),
    failed("timeout"),
    failed("status", code=503),
    Outcome(verdict=Verdict.GONE, code=410),
    Outcome(verdict=Verdict.BLOCKED, error="address"),
)


async def claim_due(actor: Actor, choice: Random) -> Answer:
    async with actor.acting("claim") as tx:
        claimed = await claim_deliveries(
            tx,
            count=choice.randint(1, 4),
            webhook_lease=DELIVERY_LEASE,
            mail_lease=DELIVERY_LEASE,
            restraint=Restraint(),
        )
    actor.deliveries = (actor.deliveries + claimed)[-8:]
    return Answer(act="claim delivery", told={d.id: d.fence for d in claimed})


async def record(actor: Actor, choice: Random) -> Answer:
    delivery = choice.choice(actor.deliveries)
    outcome = choice.choice(_OUTCOMES)
    async with actor.acting("record") as tx:
        recorded = await record_attempt(
            tx,
            delivery,
            outcome,
            step=next_step(delivery.attempt, outcome, doubts=delivery.doubts),
            took=timedelta(seconds=1),
        )
    return _one(delivery, "record delivery", is_ours=recorded.is_ours)


async def release(actor: Actor, choice: Random) -> Answer:
    delivery = choice.choice(actor.deliveries)
    async with actor.acting("release") as tx:
        await outcome_store.release(tx, [delivery])
    return Answer(act="release delivery")


async def cancel(actor: Actor, choice: Random) -> Answer:
    delivery = choice.choice(actor.deliveries)
    async with actor.acting("drop") as tx:
        await cancel_unsent(tx, delivery)
    return Answer(act="drop delivery")


async def sweep(actor: Actor, choice: Random) -> Answer:
    async with actor.acting("sweep") as tx:
        await sweep_lapsed(tx)
    return Answer(act="sweep delivery")


def _one(delivery: ClaimedDelivery, act: str, *, is_ours: bool) -> Answer:
    return Answer(
        act=act,
        given={delivery.id: delivery.fence},
        told={delivery.id: delivery.fence} if is_ours else {},
    )
