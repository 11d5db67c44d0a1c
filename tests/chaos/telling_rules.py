"""The rules about telling: events, deliveries, what really reached the receivers.

Each ended job has one event; every receiver gets it at least once, under one id and
with the same bytes each time. The receivers' own journals decide what was received.
"""

from typing import Any, Final

from tests.chaos.evidence import Evidence
from tests.chaos.facts import Facts, JobFacts
from tests.chaos.rules import Found, Rule, Violation

_ON_ITS_WAY: Final = frozenset({"due", "sending"})


def one_event_per_ending(facts: Facts, evidence: Evidence) -> Found:
    del evidence
    for job in facts.jobs.values():
        if job.is_final and not job.events:
            yield Violation("lost", f"{job.state} without an event", job.id)
        if len(job.events) > 1:
            yield Violation("duplicated", f"{len(job.events)} events", job.id)
        for event in job.events:
            yield from _event_contradicts(job, event)


def _event_contradicts(job: JobFacts, event: dict[str, Any]) -> Found:
    if event["type"] != f"summary.{job.state}":
        what = f"the event says {event['type']}, the job is {job.state}"
        yield Violation("unexpected", what, job.id)
    elif event["job_version"] != job.row["version"]:
        what = f"event of version {event['job_version']}, job {job.row['version']}"
        yield Violation("unexpected", what, job.id)


def receivers_have_deliveries(facts: Facts, evidence: Evidence) -> Found:
    """A receiver named with the job has its delivery from the ending on."""
    del evidence
    for job in facts.jobs.values():
        named = job.row["delivery"]
        if not job.events or named is None:
            continue
        wanted = len(named.get("email") or ())
        wanted += named.get("webhook_url") is not None
        wanted += named.get("endpoint_id") is not None
        first = [each for each in job.deliveries if each["replay_of"] is None]
        if len(first) < wanted:
            what = f"{len(first)} of {wanted} deliveries"
            yield Violation("lost", f"ended with {what}", job.id)


def deliveries_arrive(facts: Facts, evidence: Evidence) -> Found:
    """G6: done with, and the receiver's journal agrees."""
    for job in facts.jobs.values():
        for delivery in job.deliveries:
            what = _amiss(delivery, evidence)
            if what is not None:
                yield Violation("lost", what, job.id)


def _amiss(delivery: dict[str, Any], evidence: Evidence) -> str | None:
    kind, state = delivery["kind"], delivery["state"]
    if state in _ON_ITS_WAY:
        # Two lost answers, and the third step is minutes away: it has arrived.
        has_journal = kind == "webhook" and evidence.has_webhooks
        has_arrived = has_journal and _was_received(delivery, evidence)
        return None if has_arrived else f"a {kind} is still {state}"
    # G7: a relay whose reply was lost three times is not given the mail a fourth time.
    is_in_doubt = evidence.has_mails and delivery["last_error"] == "reply_lost"
    if state != "delivered" and not is_in_doubt:
        return f"a {kind} is {state}: {delivery['last_error']}"
    if _was_received(delivery, evidence):
        return None
    return f"{kind} {delivery['event_id']} was never received"


def _was_received(delivery: dict[str, Any], evidence: Evidence) -> bool:
    if delivery["kind"] == "email":
        return not evidence.has_mails or delivery["event_id"] in evidence.mails
    if not evidence.has_webhooks:
        return True
    received = evidence.webhooks.get(delivery["event_id"], [])
    return any(entry["answer"] == "accepted" for entry in received)


def repeats_are_equal(facts: Facts, evidence: Evidence) -> Found:
    """G6: the id and the bytes of an event never change."""
    of_event = {
        event["id"]: (job, event) for job in facts.jobs.values() for event in job.events
    }
    for event_id, received in evidence.webhooks.items():
        job_id = received[0]["job"]
        # An erasure takes the customer's own words out of what is still to be sent.
        is_erased = event_id in of_event and of_event[event_id][0].row["erased_at"]
        if len({entry["digest"] for entry in received}) > 1 and not is_erased:
            what = f"{event_id} came with different bodies"
            yield Violation("duplicated", what, job_id)
        if event_id not in of_event:
            yield Violation("unexpected", f"{event_id} is no event", job_id)
        elif received[0]["type"] != of_event[event_id][1]["type"]:
            what = f"received {received[0]['type']}, the event says otherwise"
            yield Violation("unexpected", what, job_id)


def one_event_id_per_job(facts: Facts, evidence: Evidence) -> Found:
    """A receiver that dedupes by id hears of each job once."""
    del facts
    ids: dict[str, set[str]] = {}
    for event_id, received in evidence.webhooks.items():
        ids.setdefault(received[0]["job"], set()).add(event_id)
    for job_id, known in ids.items():
        if len(known) > 1:
            yield Violation("duplicated", f"received as {sorted(known)}", job_id)


TELLING_RULES: Final[tuple[Rule, ...]] = (
    one_event_per_ending,
    receivers_have_deliveries,
    deliveries_arrive,
    repeats_are_equal,
    one_event_id_per_job,
)
