"""The story of one job, from every journal and from Postgres, in the order of time."""

from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any, Final

from tests.chaos.evidence import Evidence
from tests.chaos.facts import Facts, JobFacts
from tests.chaos.journal import Entry

Line = tuple[float, str, str]
_MOST_LINES: Final = 80
_TIMES: Final = ("created_at", "started_at", "finished_at", "erased_at")


def timeline(job_id: str, facts: Facts, evidence: Evidence) -> list[str]:
    """What happened to the job, and the faults that struck meanwhile."""
    job = facts.jobs.get(job_id)
    lines = [*_of_client(job_id, job, evidence), *_of_observer(job_id, evidence)]
    if job is not None:
        lines += [*_of_postgres(job), *_of_receivers(job, evidence)]
    lines += _faults_between(lines, evidence.faults)
    told = [_show(*line) for line in sorted(lines)[:_MOST_LINES]]
    standing = [] if job is None else [f"  now: {_standing(job)}"]
    return [f"timeline of {job_id}", *told, *standing]


def _of_client(job_id: str, job: JobFacts | None, evidence: Evidence) -> Iterator[Line]:
    keys = {key for key, ids in evidence.acknowledged.items() if job_id in ids}
    keys |= {job.key} if job is not None and job.key else set()
    for key in keys:
        for entry in evidence.attempted.get(key, []):
            yield entry["at"], "client", _rest(entry)
    for entry in evidence.told.get(job_id, []):
        if entry.get("key") not in keys:
            yield entry["at"], "client", _rest(entry)


def _of_observer(job_id: str, evidence: Evidence) -> Iterator[Line]:
    for entry in evidence.observed.get(job_id, []):
        yield entry["at"], "observer", _rest(entry)


def _of_postgres(job: JobFacts) -> Iterator[Line]:
    for name in _TIMES:
        if job.row[name] is not None:
            yield job.row[name].timestamp(), "postgres", name.removesuffix("_at")
    for event in job.events:
        what = f"event {event['type']} of version {event['job_version']}"
        yield event["created_at"].timestamp(), "postgres", what
    for summary in job.summaries:
        what = f"summary under fence {summary['fence']}"
        yield summary["created_at"].timestamp(), "postgres", what
    for each in job.deliveries:
        what = f"{each['kind']} {each['state']} tries {each['tries']}"
        at = each["finished_at"] or each["created_at"]
        yield at.timestamp(), "postgres", what


def _of_receivers(job: JobFacts, evidence: Evidence) -> Iterator[Line]:
    for event in job.events:
        for entry in evidence.webhooks.get(event["id"], []):
            yield entry["at"], "receiver", _rest(entry)


def _faults_between(lines: list[Line], faults: list[Entry]) -> Iterator[Line]:
    if lines:
        first, last = min(lines)[0] - 1, max(lines)[0] + 1
        for entry in faults:
            if first <= entry["at"] <= last:
                yield entry["at"], "fault", _rest(entry)


def _standing(job: JobFacts) -> str:
    shown = ("state", "version", "fence", "attempt", "worker_id", "error_code")
    return " ".join(f"{name}={job.row[name]}" for name in shown)


def _rest(entry: Entry) -> str:
    hidden = {"at", "kind", "id", "digest"}
    told: dict[str, Any] = {k: v for k, v in entry.items() if k not in hidden}
    return " ".join([entry["kind"], *(f"{k}={v}" for k, v in told.items())])


def _show(at: float, who: str, what: str) -> str:
    return f"  {datetime.fromtimestamp(at, UTC):%H:%M:%S.%f} {who:9} {what}"
