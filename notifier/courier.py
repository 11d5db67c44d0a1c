"""Carries one claimed delivery to its receiver and writes down how it went.

Three steps, as for every outside call: the claim was committed before, nothing is
open while the receiver is spoken to, the outcome is recorded after, under the fence.
What cannot be written down is tried again for a moment and then left to the lease.
"""

import asyncio
import time
from collections.abc import Awaitable, Callable
from datetime import timedelta
from email.message import EmailMessage
from functools import partial
from typing import Final, TypeVar

import structlog

from jobs.errors import LeaseLost
from jobs.job import Job
from jobs.messages.webhook_event import webhook_body
from notifier.claim_store import ClaimedDelivery, freeze_body
from notifier.mail import Sender, compose_mail
from notifier.metrics import NotifierMetrics
from notifier.outcome_store import Recorded, cancel_unsent, note_doubt, record_attempt
from notifier.outcomes import Outcome, failed
from notifier.schedule import MAX_DOUBTFUL_ATTEMPTS, NextStep, next_step
from notifier.smtp import MailSender
from notifier.webhook_sender import SignedEvent, WebhookSender
from plumbing.backoff import full_jitter
from plumbing.database import Database, DatabaseUnavailable
from plumbing.failpoints import DELIVERY_RECORDED, reach
from plumbing.sealing import MasterKey

_TRIES: Final = 4
_WAIT: Final = timedelta(milliseconds=200)
_LONGEST_WAIT: Final = timedelta(seconds=2)

log = structlog.get_logger()

T = TypeVar("T")


class Courier:
    def __init__(
        self,
        *,
        database: Database,
        master_key: MasterKey,
        webhooks: WebhookSender,
        mails: MailSender,
        sender: Sender,
        metrics: NotifierMetrics,
    ) -> None:
        self._database = database
        self._master_key = master_key
        self._webhooks = webhooks
        self._mails = mails
        self._sender = sender
        self._metrics = metrics

    async def close(self) -> None:
        await self._webhooks.close()

    async def attempt(self, delivery: ClaimedDelivery, job: Job | None) -> Outcome:
        """Speak to the receiver; `job` is there for an event without a body."""
        if delivery.kind == "email":
            return await self._send_mail(delivery)
        body = delivery.body or await self._freeze(delivery, job)
        event = SignedEvent(
            id=delivery.event_id, body=body, secrets=self._secrets(delivery)
        )
        return await self._webhooks.send(delivery.receiver, event)

    async def record(
        self, delivery: ClaimedDelivery, outcome: Outcome, *, began: float
    ) -> None:
        """Take the step that follows; `began` is when, by the monotonic clock."""
        step = next_step(delivery.attempt, outcome, doubts=delivery.doubts)
        took = timedelta(seconds=time.monotonic() - began)
        recorded = await _insist(
            partial(self._record_once, delivery, outcome, step=step, took=took)
        )
        self._tell(delivery, outcome, step=step, took=took, recorded=recorded)

    async def cancel(self, delivery: ClaimedDelivery) -> None:
        async with self._database.statement() as tx:
            await cancel_unsent(tx, delivery)
        log.info("delivery.cancelled", delivery_id=str(delivery.id))

    async def _send_mail(self, delivery: ClaimedDelivery) -> Outcome:
        if delivery.doubts >= MAX_DOUBTFUL_ATTEMPTS:
            # The notifier that made the last of them died before it could record it.
            return failed("reply_lost")
        return await self._mails.send(
            self._compose(delivery), before_doubt=partial(self._note_doubt, delivery)
        )

    async def _note_doubt(self, delivery: ClaimedDelivery) -> None:
        """Else a doubt that was noted, its answer lost, counts for a mail never sent."""
        if not await _insist(partial(self._note_doubt_once, delivery)):
            raise LeaseLost

    async def _note_doubt_once(self, delivery: ClaimedDelivery) -> bool:
        async with self._database.statement() as tx:
            return await note_doubt(tx, delivery)

    async def _freeze(self, delivery: ClaimedDelivery, job: Job | None) -> bytes:
        assert job is not None  # noqa: S101 - the claim reads it with every such event
        body = webhook_body(
            delivery.event_type, happened_at=delivery.happened_at, job=job
        )
        return await _insist(partial(self._freeze_once, delivery, body))

    async def _freeze_once(self, delivery: ClaimedDelivery, body: bytes) -> bytes:
        async with self._database.statement() as tx:
            return await freeze_body(tx, delivery.event_id, body=body)

    def _secrets(self, delivery: ClaimedDelivery) -> tuple[str, ...]:
        owner = delivery.endpoint_id or delivery.tenant_id
        label = f"webhook-secret:{owner.hex}"
        boxes = (delivery.secret, delivery.previous_secret)
        return tuple(
            self._master_key.open(box, label=label).decode() for box in boxes if box
        )

    def _compose(self, delivery: ClaimedDelivery) -> EmailMessage:
        return compose_mail(
            delivery.event_type,
            event_id=delivery.event_id,
            job_id=delivery.job_id,
            happened_at=delivery.happened_at,
            receiver=delivery.receiver,
            sender=self._sender,
        )

    async def _record_once(
        self,
        delivery: ClaimedDelivery,
        outcome: Outcome,
        *,
        step: NextStep,
        took: timedelta,
    ) -> Recorded:
        async with self._database.statement() as tx:
            recorded = await record_attempt(tx, delivery, outcome, step=step, took=took)
        reach(DELIVERY_RECORDED, DatabaseUnavailable)
        return recorded

    def _tell(
        self,
        delivery: ClaimedDelivery,
        outcome: Outcome,
        *,
        step: NextStep,
        took: timedelta,
        recorded: Recorded,
    ) -> None:
        self._metrics.attempts.labels(kind=delivery.kind, step=step.state.value).inc()
        self._metrics.seconds.labels(kind=delivery.kind).observe(took.total_seconds())
        if recorded.disabled:
            self._metrics.endpoints_disabled.inc()
        log.info(
            "delivery.attempted" if recorded.is_ours else "delivery.lost",
            delivery_id=str(delivery.id),
            event_id=delivery.event_id,
            kind=delivery.kind,
            attempt=delivery.attempt,
            step=step.state.value,
            code=outcome.code,
            error=outcome.error,
        )


async def _insist(say: Callable[[], Awaitable[T]]) -> T:
    """Say it, and again if the database went away; said twice, each counts once."""
    for attempt in range(_TRIES - 1):
        try:
            return await say()
        except DatabaseUnavailable:
            wait = full_jitter(attempt, base=_WAIT, ceiling=_LONGEST_WAIT)
            await asyncio.sleep(wait.total_seconds())
    return await say()
