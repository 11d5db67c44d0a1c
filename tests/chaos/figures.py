"""Hands what runs have found to the record of figures, once all of it held.

The numbers are the checker's own; nothing is counted here that a run did not tell. A
run that is too small, or that left kinds of faults out, is no figure.
"""

from collections.abc import Mapping, Sequence
from typing import Any, Final

from tests.chaos.mutants import MUTANTS
from tests.chaos.plan import Plan
from tests.chaos.run import Outcome
from tests.figures.record import record

_LEAST_JOBS: Final = 100
_LEAST_MINUTES: Final = 10
_JEPSEN: Final = (
    "attempted",
    "acknowledged",
    "lost",
    "unexpected",
    "duplicated",
    "recovered",
)


def record_chaos(outcome: Outcome) -> None:
    """F1 and F20, of a run that was good."""
    plan, found = outcome.plan, outcome.report.figures
    usual = Plan()
    if (
        plan.jobs < _LEAST_JOBS
        or plan.targets
        or not set(plan.faults) >= {*usual.faults}
    ):
        return
    seconds = outcome.durations["faults"]
    of_run: dict[str, Any] = {
        "size": f"{plan.jobs:,} jobs in {seconds:.0f} s",
        "seed": plan.seed,
        "command": f"make chaos JOBS={plan.jobs} SECONDS={plan.seconds:g} "
        f"SEED={plan.seed}",
    }
    record(
        figure="F1",
        what="everything is killed, frozen, emptied or cut off, a fault a second",
        result={
            "lost": found["lost"],
            "duplicated": found["duplicated"],
            "endings changed": found["endings changed"],
            "events received": f"{found['events received']:,} of {found['events']:,}",
            "faults": sum(outcome.faults.values()),
            "of these": _listed(outcome.faults),
        },
        goal="0 lost, 0 duplicated, 0 endings changed, every event received",
        **of_run,
    )
    record(
        figure="F20",
        what="the checker's words about that run",
        result={word: found[word] for word in _JEPSEN},
        goal="lost 0 duplicated 0 unexpected 0",
        **of_run,
    )


def record_mutants(proofs: Sequence[Mapping[str, Any]], *, seed: int) -> None:
    """F1n, where all of them were run and each was caught."""
    if {proof["mutant"] for proof in proofs} != set(MUTANTS):
        return
    record(
        figure="F1n",
        what="the same checker on systems that were broken on purpose fails them",
        size=f"{len(proofs)} mutants, {min(m.jobs for m in MUTANTS.values())} jobs "
        "or more each",
        seed=seed,
        result={
            proof["mutant"]: f"caught {proof['caught']} of {proof['runs']}"
            for proof in proofs
        },
        goal="every mutant is caught",
        command=f"make chaos-mutants SEED={seed}",
    )


def record_soak(told: Mapping[str, Any], *, minutes: float, seed: int) -> None:
    """F17, of a soak that was good."""
    if minutes < _LEAST_MINUTES:
        return
    found, growth = told["figures"], told["growth"]
    largest = max(growth, key=lambda name: float(growth[name]["percent"]))
    record(
        figure="F17",
        what="memory of each process under half the load it can bear",
        size=f"{minutes:g} minutes, {found['jobs']:,} jobs",
        seed=seed,
        result={
            "largest growth in percent": growth[largest]["percent"],
            "in": largest,
            "leaked leases": found["leaked leases"],
            "connections left": found["connections"],
            "files left": found["files"],
            "processes left": found["processes"],
        },
        goal="at most 5 % in each process; no lease, connection or file left",
        command=f"make soak MINUTES={minutes:g}",
    )


def _listed(counts: Mapping[str, int]) -> str:
    return " ".join(f"{name} {count}" for name, count in sorted(counts.items()))
