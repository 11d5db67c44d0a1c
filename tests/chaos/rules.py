"""What may not be: each rule looks at facts and evidence and names what breaks it.

Three words of Jepsen's sort them. `lost`: a promise that was given and not kept.
`duplicated`: something that may exist once exists twice. `unexpected`: something that
nobody asked for, or that contradicts what was seen before.
"""

from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import timedelta
from itertools import pairwise
from typing import Final, Literal

from tests.chaos.evidence import Evidence
from tests.chaos.facts import FINAL, Facts, JobFacts
from tests.chaos.journal import Entry

Word = Literal["lost", "duplicated", "unexpected"]
MAX_ATTEMPTS: Final = 5
_NOT_FOUND: Final = 404
_GONE: Final = 410
_LATEST_ENDING: Final = timedelta(seconds=60)
"""What the contract allows where Postgres, too, is away again and again."""
# A fault that kills five workers under one job may end it so; nothing else may fail.
_HONEST_FAILURES: Final = frozenset({"worker_lost"})


@dataclass(frozen=True)
class Violation:
    word: Word
    what: str
    job: str | None = None
    """As callers see it: sum_..."""


Found = Iterator[Violation]
Rule = Callable[[Facts, Evidence], Found]


def acknowledged_is_kept(facts: Facts, evidence: Evidence) -> Found:
    """G1, G2: what was accepted exists and has ended."""
    for key, ids in evidence.acknowledged.items():
        for job_id in ids:
            job = facts.jobs.get(job_id)
            if job is None:
                yield Violation("lost", f"acknowledged for {key}, not there", job_id)
            elif not job.is_final:
                yield Violation("lost", f"still {job.state}", job_id)


def one_job_per_key(facts: Facts, evidence: Evidence) -> Found:
    """G4: repeats of a key get the same job, whatever the table of keys says."""
    for key in evidence.attempted:
        jobs = facts.of_key(key)
        if len(jobs) > 1:
            names = ", ".join(job.id for job in jobs)
            yield Violation("duplicated", f"{key} made {names}", jobs[0].id)
        ids = evidence.acknowledged.get(key, set())
        if len(ids) > 1:
            yield Violation("duplicated", f"{key} was answered with {sorted(ids)}")


def orders_are_answered(facts: Facts, evidence: Evidence) -> Found:
    """No fault lasts as long as a customer's patience: the service comes back."""
    del facts
    for key, entries in evidence.attempted.items():
        if any(entry["kind"] == "given_up" for entry in entries):
            answers = Counter(
                entry.get("code") or entry.get("error") or entry["kind"]
                for entry in entries
                if entry["kind"] in {"refused", "unknown"}
            )
            yield Violation("lost", f"{key} was never taken: {dict(answers)}")


def accepted_is_found(facts: Facts, evidence: Evidence) -> Found:
    """G5: whoever was given an id finds the job by it from then on."""
    for job_id, entries in evidence.told.items():
        statuses = {entry.get("status") for entry in entries}
        if _NOT_FOUND in statuses:
            yield Violation("lost", "accepted, and not found when asked for", job_id)
        job = facts.jobs.get(job_id)
        if _GONE in statuses and job is not None and job.row["erased_at"] is None:
            yield Violation("unexpected", "told to be gone, never erased", job_id)


def nothing_unasked(facts: Facts, evidence: Evidence) -> Found:
    if not evidence.has_client:
        return
    answered = set().union(*evidence.acknowledged.values())
    for job in facts.jobs.values():
        # An erasure may have taken the mark, never the id.
        if job.key not in evidence.attempted and job.id not in answered:
            yield Violation("unexpected", "nobody asked for this job", job.id)


def running_belongs_to_somebody(facts: Facts, evidence: Evidence) -> Found:
    """No lease outlives the one who held it."""
    del evidence
    for job in facts.jobs.values():
        lease = job.row["lease_until"]
        if job.state == "running" and lease < facts.now:
            over = (facts.now - lease).total_seconds()
            yield Violation("unexpected", f"lease over for {over:.1f} s", job.id)


def attempts_are_bounded(facts: Facts, evidence: Evidence) -> Found:
    del evidence
    for job in facts.jobs.values():
        if job.row["attempt"] > MAX_ATTEMPTS:
            yield Violation("unexpected", f"attempt {job.row['attempt']}", job.id)
        code = job.row["error_code"]
        if code is not None and code not in _HONEST_FAILURES:
            yield Violation("unexpected", f"failed with {code}", job.id)


def summaries_are_true(facts: Facts, evidence: Evidence) -> Found:
    """G3: one for each success, written by the holder whose leaving ended the job."""
    del evidence
    for job in facts.jobs.values():
        erased = job.row["erased_at"] is not None
        if len(job.summaries) > 1:
            yield Violation("duplicated", f"{len(job.summaries)} summaries", job.id)
        if job.state == "succeeded" and not job.summaries and not erased:
            yield Violation("lost", "succeeded without a summary", job.id)
        if job.summaries and job.state != "succeeded":
            yield Violation("unexpected", f"{job.state} with a summary", job.id)
        for summary in job.summaries:
            ended_by = job.row["fence"] - 1 if job.row["fence"] else 0
            if summary["fence"] != ended_by:
                what = f"summary of fence {summary['fence']}, ended under {ended_by}"
                yield Violation("unexpected", f"a stale holder wrote: {what}", job.id)


def endings_are_in_time(facts: Facts, evidence: Evidence) -> Found:
    """G2: by the deadline and ten seconds; never expired before it."""
    del evidence
    for job in facts.jobs.values():
        deadline, ended = job.row["deadline"], job.row["finished_at"]
        if ended is None:
            continue
        if job.state == "expired" and ended < deadline:
            yield Violation("unexpected", "expired before its deadline", job.id)
        if ended > deadline + _LATEST_ENDING:
            late = (ended - deadline).total_seconds()
            yield Violation("unexpected", f"ended {late:.1f} s late", job.id)


def endings_stay(facts: Facts, evidence: Evidence) -> Found:
    """G2, G5: what the observer and the client saw only ever went on."""
    for job_id, seen in _histories(evidence).items():
        job = facts.jobs.get(job_id)
        if job is None:
            yield Violation("lost", "seen before, not there now", job_id)
            continue
        yield from _contradictions(job, seen)


def _histories(evidence: Evidence) -> dict[str, list[Entry]]:
    histories: dict[str, list[Entry]] = {}
    for job_id, entries in evidence.observed.items():
        histories[job_id] = list(entries)
    for job_id, entries in evidence.told.items():
        seen = [entry for entry in entries if entry["kind"] == "seen"]
        if seen:
            histories.setdefault(job_id, []).extend(seen)
    return histories


def _contradictions(job: JobFacts, seen: list[Entry]) -> Found:
    endings = {
        (entry["state"], entry["version"]) for entry in seen if entry["state"] in FINAL
    }
    endings |= {(job.state, job.row["version"])} if job.is_final else set()
    if len(endings) > 1 or (endings and not job.is_final):
        yield Violation("unexpected", f"ending changed: {sorted(endings)}", job.id)
    observed = [entry for entry in seen if "fence" in entry]
    for before, after in pairwise(observed):
        if after["fence"] < before["fence"] or after["version"] < before["version"]:
            yield Violation("unexpected", "fence or version fell", job.id)


def erased_is_gone(facts: Facts, evidence: Evidence) -> Found:
    """G10: of an erased job no row with text is left."""
    del evidence
    for job in facts.jobs.values():
        if job.row["erased_at"] is not None and job.leftovers:
            yield Violation("unexpected", f"erased, yet {job.leftovers}", job.id)


RULES: Final[tuple[Rule, ...]] = (
    acknowledged_is_kept,
    one_job_per_key,
    orders_are_answered,
    accepted_is_found,
    nothing_unasked,
    running_belongs_to_somebody,
    attempts_are_bounded,
    summaries_are_true,
    endings_are_in_time,
    endings_stay,
    erased_is_gone,
)
