"""What callers do, through any gateway: submit, be answered at once, cancel, erase, read."""

from dataclasses import replace
from datetime import timedelta
from random import Random
from uuid import UUID

from jobs.lifecycle import FINAL, State
from jobs.operations.answer import Answer as Realtime
from jobs.operations.answer import record_answers
from jobs.operations.cancel import cancel
from jobs.operations.erase import erase
from jobs.operations.idempotency import (
    clear_lapsed_key,
    release_key,
    reserve_key,
)
from jobs.operations.submit import Submission, submit
from jobs.store.job_store import get_job
from tests.model.world import Actor, Answer, Reservation

_CALL = timedelta(seconds=10)


async def submit_jobs(actor: Actor, choice: Random) -> Answer:
    group = [actor.world.a_submission(choice) for _ in range(choice.randint(1, 3))]
    async with actor.acting("submit") as tx:
        for each in group:
            if each.job.idempotency_key is not None:
                await clear_lapsed_key(tx, each.job.tenant_id, each.job.idempotency_key)
        admitted = await submit(tx, group)
    return _admitted(actor, "submit", group, admitted)


async def reserve(actor: Actor, choice: Random) -> Answer:
    """A realtime call begins: its key is held for as long as the call may take."""
    job = actor.world.a_submission(choice, reserved=True).job
    assert job.idempotency_key is not None
    assert job.fingerprint is not None
    async with actor.acting("reserve") as tx:
        is_ours = await reserve_key(
            tx,
            job.tenant_id,
            job.idempotency_key,
            fingerprint=job.fingerprint,
            job_id=job.id,
            lease=_CALL,
        )
    if is_ours:
        actor.reservations.append(Reservation(job, job.idempotency_key))
    return Answer(act="reserve")


async def answer(actor: Actor, choice: Random) -> Answer:
    """The engine has answered, perhaps long after the reservation lapsed."""
    reservation = _take(actor, choice)
    now = actor.world.clock.now()
    given = Realtime(
        job=reservation.job,
        started_at=now,
        finished_at=now,
        sealed_summary=b"sealed",
        sealed_citations=None,
        prompt_tokens=1,
        completion_tokens=1,
        provenance={},
        warnings=(),
    )
    async with actor.acting("answer") as tx:
        told = await record_answers(tx, [given])
    as_submission = Submission(job=reservation.job, sealed_text=b"", reserved=True)
    return _admitted(actor, "answer", [as_submission], told)


async def hand_over(actor: Actor, choice: Random) -> Answer:
    """The realtime tier gave up; the same id goes on in the batch tier."""
    job = _take(actor, choice).job
    given = Submission(job=job, sealed_text=b"sealed", reserved=True)
    async with actor.acting("submit") as tx:
        told = await submit(tx, [given])
    return _admitted(actor, "submit", [given], told)


async def release(actor: Actor, choice: Random) -> Answer:
    job = _take(actor, choice).job
    assert job.idempotency_key is not None
    async with actor.acting("release") as tx:
        await release_key(tx, job.tenant_id, job.idempotency_key, job.id)
    return Answer(act="release")


async def cancel_job(actor: Actor, choice: Random) -> Answer:
    """The owner's, or a stranger's who has heard of the id."""
    job_id, tenant_id = choice.choice(actor.world.known)
    if choice.random() < 0.1:
        tenant_id = choice.choice(actor.world.tenants).id
    async with actor.acting("cancel") as tx:
        state = await cancel(tx, job_id, tenant_id=tenant_id)
    told = {} if state is None else {job_id: state}
    return Answer(act="cancel", given={job_id: tenant_id}, told=told)


async def erase_job(actor: Actor, choice: Random) -> Answer:
    job_id, tenant_id = choice.choice(actor.world.known)
    async with actor.acting("erase", together=True) as tx:
        receipt = await erase(tx, job_id, tenant_id=tenant_id)
    assert (receipt.job_id, receipt.tenant_id) == (job_id, tenant_id)
    return Answer(act="erase", given={job_id: tenant_id}, told={job_id: receipt.id})


async def read(actor: Actor, choice: Random) -> Answer:
    """What was read before holds: versions rise, and an ending never changes."""
    job_id, tenant_id = choice.choice(actor.world.known)
    async with actor.acting("read") as tx:
        job = await get_job(tx, job_id, tenant_id=tenant_id)
    version, state = actor.seen.get(job_id, (0, ""))
    assert job.version >= version, f"I1 {job_id} went back to version {job.version}"
    if state in FINAL:
        assert job.state == state, f"I1 {job_id} was read as {state}, then {job.state}"
    actor.seen[job_id] = (job.version, job.state)
    return Answer(act="read")


def _take(actor: Actor, choice: Random) -> Reservation:
    return actor.reservations.pop(choice.randrange(len(actor.reservations)))


def _admitted(
    actor: Actor, act: str, group: list[Submission], told: set[UUID]
) -> Answer:
    by_id = {each.job.id: replace(each.job) for each in group}
    actor.world.known += [(each, by_id[each].tenant_id) for each in sorted(told)]
    state = State.SUCCEEDED if act == "answer" else State.QUEUED
    return Answer(
        act=act,
        given={job.id: (job.tenant_id, job.idempotency_key) for job in by_id.values()},
        told=dict.fromkeys(told, state),
    )
