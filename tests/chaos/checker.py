"""The judge: were the guarantees kept? `python -m tests.chaos check FOLDER --database URL`.

It reads Postgres and the journals of client and receivers, never the system's own
interface. Use it from a test by `check(...)` and `report.require()`; whoever starts
processes tells it what was left of them, and whether all of them have been stopped.
"""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from tests.chaos.evidence import Evidence, read_evidence
from tests.chaos.facts import Facts, read_facts
from tests.chaos.rules import RULES, Violation, Word
from tests.chaos.telling_rules import TELLING_RULES
from tests.chaos.timeline import timeline

_WORDS: Final[tuple[Word, ...]] = ("lost", "duplicated", "unexpected")
_MOST_SHOWN: Final = 20
_MOST_TOLD: Final = 3


@dataclass(frozen=True)
class Leftovers:
    """What whoever ran the processes found of them afterwards."""

    all_stopped: bool = False
    """True: no session of ours may be left in Postgres either."""
    processes: Sequence[str] = ()
    files: Sequence[str] = ()


@dataclass(frozen=True)
class Report:
    seed: int | None
    figures: dict[str, Any]
    violations: list[Violation]
    stories: list[str] = field(default_factory=list)

    @property
    def is_good(self) -> bool:
        return not self.violations

    def count(self, word: Word) -> int:
        return sum(each.word == word for each in self.violations)

    def lines(self) -> list[str]:
        """For people; the last line is the verdict."""
        shown = [f"{name:12} {value}" for name, value in self.figures.items()]
        shown += [
            f"{each.word.upper()}: {each.what} [{each.job}]"
            for each in self.violations[:_MOST_SHOWN]
        ]
        if len(self.violations) > _MOST_SHOWN:
            shown.append(f"... {len(self.violations) - _MOST_SHOWN} more")
        if self.violations:
            shown += [f"seed {self.seed}", *self.stories]
        return [*shown, " ".join(f"{word} {self.count(word)}" for word in _WORDS)]

    def require(self) -> None:
        """Fail the test with the whole story."""
        assert self.is_good, "\n".join(["the guarantees were broken", *self.lines()])


def check(
    database_url: str,
    folder: Path,
    *,
    seed: int | None = None,
    leftovers: Leftovers | None = None,
) -> Report:
    """Judge what is in the database (as its owner) and in the folder's journals."""
    leftovers = leftovers or Leftovers()
    facts, evidence = read_facts(database_url), read_evidence(folder)
    violations = [
        violation
        for rule in (*RULES, *TELLING_RULES)
        for violation in rule(facts, evidence)
    ]
    violations += _left_behind(facts, leftovers)
    offenders = list(dict.fromkeys(each.job for each in violations if each.job))
    return Report(
        seed=seed,
        figures=_figures(facts, evidence, violations, leftovers),
        violations=violations,
        stories=[
            line
            for job_id in offenders[:_MOST_TOLD]
            for line in timeline(job_id, facts, evidence)
        ],
    )


def _left_behind(facts: Facts, leftovers: Leftovers) -> list[Violation]:
    left = [f"process {each}" for each in leftovers.processes]
    left += [f"file {each}" for each in leftovers.files]
    if leftovers.all_stopped:
        left += [f"connection of {each}" for each in facts.connections]
    return [Violation("unexpected", f"left behind: {each}") for each in left]


def _figures(
    facts: Facts, evidence: Evidence, violations: list[Violation], leftovers: Leftovers
) -> dict[str, Any]:
    jobs = facts.jobs.values()
    received = [entry for each in evidence.webhooks.values() for entry in each]
    events = {event["id"] for job in jobs for event in job.events}
    attempts = Counter(job.row["attempt"] for job in jobs)
    return {
        "attempted": len(evidence.attempted),
        "acknowledged": len(evidence.acknowledged),
        **{word: sum(each.word == word for each in violations) for word in _WORDS},
        "recovered": _recovered(facts, evidence),
        "jobs": len(facts.jobs),
        "endings": dict(Counter(job.state for job in jobs)),
        "endings changed": sum("ending changed" in each.what for each in violations),
        "summaries per job": dict(Counter(len(job.summaries) for job in jobs)),
        "events": len(events),
        "events received": len(events & set(evidence.webhooks)),
        "webhooks received": len(received),
        "mails received": sum(evidence.mails.values()),
        "deliveries per event": dict(Counter(len(job.deliveries) for job in jobs)),
        "attempts per job": dict(sorted(attempts.items())),
        # Every claim raises a job's fence, and so does every leaving.
        "claims": sum(job.row["fence"] // 2 for job in jobs),
        "claimed jobs": sum(job.row["fence"] > 1 for job in jobs),
        "failures": dict(Counter(filter(None, (j.row["error_code"] for j in jobs)))),
        "leaked leases": sum(each.what.startswith("lease") for each in violations),
        "connections": len(facts.connections),
        "outbox rows": facts.outbox_rows,
        "files": len(leftovers.files),
        "processes": len(leftovers.processes),
    }


def _recovered(facts: Facts, evidence: Evidence) -> int:
    """Never answered, and yet there: the answer was lost, the job was not."""
    return sum(
        bool(facts.of_key(key))
        for key in evidence.attempted
        if key not in evidence.acknowledged
    )
