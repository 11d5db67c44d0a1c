"""Runs the mutants and sees the checker fail each of them, for the right reason.

The same run without a mutant has to pass: else the failures would prove nothing.
"""

import asyncio
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any, Final

from tests.chaos.client import Habits
from tests.chaos.mutants import MUTANTS, Mutant, misfits
from tests.chaos.plan import Plan
from tests.chaos.run import run

_SECONDS: Final = 25.0
# A mutant that loses jobs never drains; whoever is only slow has drained by then.
_DRAIN_SECONDS: Final = 25.0


def prove(
    names: Sequence[str],
    *,
    seed: int,
    times: int,
    with_twins: bool,
    say: Callable[[str], None],
) -> list[dict[str, Any]]:
    """Run each so many times; tells how often it was caught, and for what.

    With twins, the same runs on the sound system as well, none of which may fail.
    """
    if unfit := misfits():
        raise ValueError("the source has changed under these: " + "; ".join(unfit))
    proofs = []
    for name in names:
        proof = {"mutant": name, "removes": MUTANTS[name].removes, "runs": times}
        seen = [_run_one(name, seed + number, say) for number in range(times)]
        if with_twins:
            sound = [_run_twin(name, seed + number, say) for number in range(times)]
            proof["sound twins that passed"] = sum(sound)
        proof["caught"] = sum(bool(reasons) for reasons in seen)
        proof["reasons"] = seen
        proofs.append(proof)
        say(f"{name}: caught {proof['caught']} of {times}")
    return proofs


def is_proven(proof: Mapping[str, Any]) -> bool:
    runs = proof["runs"]
    passed = proof.get("sound twins that passed", runs)
    return bool(proof["caught"] == runs == passed)


def plan_for(mutant: Mutant, *, seed: int, name: str | None) -> Plan:
    """The run that brings this mutant to light; without a name, its sound twin."""
    return Plan(
        jobs=mutant.jobs,
        seconds=_SECONDS,
        seed=seed,
        faults=mutant.faults,
        targets=mutant.targets,
        every=mutant.every,
        engine_seconds=mutant.engine_seconds,
        drain_seconds=_DRAIN_SECONDS,
        habits=replace(Habits(), **dict(mutant.habits)),
        latency=mutant.latency,
        mutant=name,
    )


def _run_twin(name: str, seed: int, say: Callable[[str], None]) -> bool:
    mutant = MUTANTS[name]
    plan = replace(plan_for(mutant, seed=seed, name=None), drain_seconds=120)
    outcome = asyncio.run(run(plan))
    say(f"{name}, its sound twin with seed {seed}: {outcome.report.lines()[-1]}")
    return outcome.report.is_good


def _run_one(name: str, seed: int, say: Callable[[str], None]) -> list[str]:
    mutant = MUTANTS[name]
    outcome = asyncio.run(run(plan_for(mutant, seed=seed, name=name)))
    say(f"{name} with seed {seed}: {outcome.report.lines()[-1]}")
    return [
        each.what
        for each in outcome.report.violations
        if any(words in each.what for words in mutant.expects)
    ][:5]
