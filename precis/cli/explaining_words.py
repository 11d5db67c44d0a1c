"""What an explanation of a job says to a person: why it waits, and what has happened.

Pure: facts in, sentences out. Each reason has a stable word beside its sentence, for
programs; the sentence says what may be done about it.
"""

from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import Any, Final, NamedTuple

from jobs.ids import SUMMARY, TENANT, show_id
from jobs.lifecycle import FINAL, MAX_ATTEMPTS, State
from jobs.operations.explain import COUNTED_UP_TO, Explanation, Happening, Standing
from jobs.store.pause_store import Pause, Scope

_LATE: Final = timedelta(seconds=15)
"""The dispatcher sees to what is due within seconds; beyond this it is not running."""


class Reason(NamedTuple):
    code: str
    told: str


def find_reasons(found: Explanation) -> list[Reason]:
    """Why the job stands where it stands, what weighs most first."""
    job = found.standing
    if job.state in FINAL:
        return [_ended(job)]
    if job.state is State.RUNNING:
        return list(_running(job))
    if job.deadline <= job.now:
        return [
            _seen_to("deadline_passed", "Its deadline has passed", job.deadline, job)
        ]
    if job.state is State.RETRY_WAIT:
        return [*map(_paused, found.pauses), _between_attempts(job)]
    return list(_queued(found))


def _ended(job: Standing) -> Reason:
    because = f" because of {job.error_code}" if job.error_code else ""
    contents = "; what it held is erased" if job.erased_at else ""
    return Reason("ended", f"It ended as {job.state}{because}{contents}.")


def _running(job: Standing) -> Iterator[Reason]:
    held = f"Worker {job.worker_id} holds it, attempt {job.attempt} of {MAX_ATTEMPTS}"
    if job.lease_until is not None and job.lease_until <= job.now:
        yield _seen_to(
            "lease_lapsed", f"{held}, but its lease has ended", job.lease_until, job
        )
    else:
        yield Reason("running", f"{held}.")
    if job.cancel_requested:
        yield Reason(
            "cancel_requested", "Its cancel is asked for; the worker stops it."
        )
    if job.suspect:
        yield Reason("suspect", "It lost two workers, so it runs alone in its process.")


def _between_attempts(job: Standing) -> Reason:
    why = f" after {job.last_error}" if job.last_error else ""
    if job.run_at <= job.now:
        return _seen_to("retry_due", f"Its next attempt{why} is due", job.run_at, job)
    seconds = (job.run_at - job.now).total_seconds()
    return Reason(
        "retry_wait",
        f"It waits for its next attempt{why}: {seconds:.0f} s more. "
        f"{job.attempt} of {MAX_ATTEMPTS} attempts are used.",
    )


def _queued(found: Explanation) -> Iterator[Reason]:
    job, load = found.standing, found.load
    yield from map(_paused, found.pauses)
    if job.is_aside and not found.pauses:
        yield Reason("aside", "It is out of the line; a dispatcher puts it back.")
    if load.workers == 0:
        yield Reason("no_worker", "No batch worker is running: start one.")
    elif load.slots == 0 and not found.pauses:
        yield Reason(
            "engines_away", "Workers run, but no batch engine answers them: look there."
        )
    elif load.slots and load.running >= load.slots:
        yield Reason("busy", f"All {load.slots} slots of the batch tier are taken.")
    if found.place is not None:
        yield _in_line(found)


def _in_line(found: Explanation) -> Reason:
    place = found.place
    if place is None or place.ahead == 0:
        return Reason(
            "next",
            "It is the next to be claimed. Where a worker has room and nothing happens, "
            "its hint was lost; a dispatcher replaces it within seconds.",
        )
    many = "more than " if place.ahead >= COUNTED_UP_TO else ""
    return Reason(
        "in_line",
        f"{many}{place.ahead} jobs come before it: {place.of_tenant} of its own tenant, "
        f"the rest of {place.other_tenants} others.",
    )


def _paused(pause: Pause) -> Reason:
    code = f"{pause.scope}_paused"
    since = f"{pause.since:%Y-%m-%d %H:%M:%S}"
    if pause.scope is Scope.TENANT and pause.step == "resuming":
        return Reason(code, f"Tenant {pause.name} is being resumed since {since} UTC.")
    named = f"{pause.scope} {pause.name}"
    return Reason(
        code,
        f"{named.capitalize()} was paused by {pause.actor} at {since} UTC; "
        f"`precis admin resume {named}` ends it.",
    )


def _seen_to(code: str, fact: str, since: datetime, job: Standing) -> Reason:
    """What a dispatcher does by itself, unless there is none."""
    if job.now - since < _LATE:
        return Reason(code, f"{fact}; a dispatcher sees to it within seconds.")
    seconds = (job.now - since).total_seconds()
    return Reason(code, f"{fact}, {seconds:.0f} s ago: is a dispatcher running?")


def list_facts(found: Explanation) -> Iterator[tuple[str, str]]:
    """The job's row in lines, name and value."""
    job = found.standing
    yield "id", show_id(SUMMARY, job.id)
    yield "tenant", f"{job.tenant} ({show_id(TENANT, job.tenant_id)})"
    yield "state", f"{job.state}, version {job.version}, fence {job.fence}"
    yield "tier", f"{job.tier} ({job.routing_reason}, {job.tokens} tokens)"
    yield "attempts", f"{job.attempt} of {MAX_ATTEMPTS}{_last_error(job)}"
    if job.state not in FINAL:
        yield "due", _moment(job.run_at)
        yield "deadline", _moment(job.deadline)
        yield "lane", _lane(job)
    if job.lease_until is not None:
        yield "lease", f"{_moment(job.lease_until)}, {job.worker_id}"


def _last_error(job: Standing) -> str:
    return f", the last ended with {job.last_error}" if job.last_error else ""


def _lane(job: Standing) -> str:
    ahead = max(job.tag - job.clock, 0)
    return f"weight {job.weight:g}, tag {ahead} tokens ahead of the clock"


def tell_happening(happening: Happening) -> str:
    details = " ".join(
        f"{name}={value}"
        for name, value in happening.details.items()
        if value is not None
    )
    return f"{_moment(happening.at)}  {happening.what:<18}  {details}".rstrip()


def as_json(found: Explanation) -> dict[str, Any]:
    """The same for programs; times as in the HTTP interface."""
    job, place = found.standing, found.place
    return {
        "id": show_id(SUMMARY, job.id),
        "tenant": {"id": show_id(TENANT, job.tenant_id), "name": job.tenant},
        "state": job.state,
        "tier": job.tier,
        "routing_reason": job.routing_reason,
        "attempt": job.attempt,
        "fence": job.fence,
        "version": job.version,
        "cancel_requested": job.cancel_requested,
        "due_at": job.run_at.isoformat(),
        "deadline": job.deadline.isoformat(),
        "lease_until": job.lease_until and job.lease_until.isoformat(),
        "worker": job.worker_id,
        "last_error": job.last_error,
        "error": job.error_code,
        "lane": {
            "weight": job.weight,
            "tag": job.tag,
            "tail": job.lane_tail,
            "clock": job.clock,
            "aside": job.is_aside,
        },
        "place": place
        and {
            "ahead": place.ahead,
            "of_tenant": place.of_tenant,
            "other_tenants": place.other_tenants,
        },
        "batch": {
            "workers": found.load.workers,
            "slots": found.load.slots,
            "running": found.load.running,
        },
        "reasons": [each._asdict() for each in find_reasons(found)],
        "history": [
            {"at": each.at.isoformat(), "what": each.what} | each.details
            for each in found.history
        ],
    }


def _moment(moment: datetime) -> str:
    return f"{moment:%Y-%m-%d %H:%M:%S.%f}"[:-3] + " UTC"
