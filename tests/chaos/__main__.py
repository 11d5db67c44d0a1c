"""`python -m tests.chaos [run|check|mutants|soak]`: breaks things and judges.

Jobs under one fault each second against real processes and servers, then the checker;
the five mutants by which the checker itself is proven; and the long soak. Results are
JSON files in tests/chaos/results or the folder given by --out.
"""

import argparse
import asyncio
import sys
from pathlib import Path

from tests.chaos.checker import check
from tests.chaos.figures import record_chaos, record_mutants, record_soak
from tests.chaos.mutants import MUTANTS
from tests.chaos.plan import RESULTS, Plan, new_seed, read_faults
from tests.chaos.proving import is_proven, prove
from tests.chaos.result_file import write_result
from tests.chaos.run import run
from tests.chaos.small_disk import DiskRefused
from tests.chaos.soak import soak


def main(arguments: list[str]) -> int:
    commands = {"run": _run, "check": _check, "mutants": _mutants, "soak": _soak}
    name = arguments[0] if arguments and arguments[0] in commands else "run"
    rest = arguments[1:] if arguments[:1] == [name] else arguments
    try:
        return commands[name](rest)
    except (DiskRefused, ValueError) as refusal:
        say(str(refusal))
        return 2


def say(line: str) -> None:
    sys.stdout.write(line + "\n")
    sys.stdout.flush()


def _run(arguments: list[str]) -> int:
    asked = _parser(arguments)
    plan = Plan(
        jobs=asked.jobs,
        seconds=asked.seconds,
        seed=new_seed() if asked.seed is None else asked.seed,
        faults=read_faults(asked.faults),
        every=asked.every,
        targets=asked.targets,
        drain_seconds=asked.drain,
        engine_seconds=asked.engine_seconds,
        small_fs=asked.small_fs,
        keep=asked.keep,
    )
    say(f"seed {plan.seed}: {plan.jobs} jobs, {', '.join(plan.faults)}")
    outcome = asyncio.run(run(plan))
    told = {"violations": [], "stories": outcome.report.stories, **outcome.as_json()}
    path = write_result(asked.out, f"{asked.name}-{plan.seed}", told)
    say(f"faults       {dict(outcome.faults)}")
    say(f"seconds      {dict(outcome.durations)}")
    say(f"lives        {dict(outcome.lives)}")
    if outcome.own_ends:
        say(f"ended by themselves: {outcome.own_ends}")
    if plan.keep:
        say(f"kept in {outcome.folder.parent}")
    say(f"written to {path}")
    for line in outcome.report.lines():
        say(line)
    if not outcome.report.is_good:
        return 1
    record_chaos(outcome)
    return 0


def _parser(arguments: list[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tests.chaos", description=__doc__)
    default = Plan()
    parser.add_argument("--jobs", type=int, default=default.jobs)
    parser.add_argument("--seconds", type=float, default=default.seconds)
    parser.add_argument("--seed", type=int)
    parser.add_argument("--faults", default=",".join(default.faults))
    parser.add_argument("--every", type=float, default=default.every)
    parser.add_argument("--targets", default="", help="kill and stop only these")
    parser.add_argument("--drain", type=float, default=default.drain_seconds)
    parser.add_argument("--engine-seconds", type=float, default=default.engine_seconds)
    parser.add_argument("--small-fs", type=Path, help="a small file system to fill")
    parser.add_argument("--keep", action="store_true", help="keep data and journals")
    parser.add_argument("--name", default="chaos", help="of the file of results")
    parser.add_argument("--out", type=Path, default=RESULTS)
    return parser.parse_args(arguments)


def _check(arguments: list[str]) -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.chaos check")
    parser.add_argument("folder", type=Path)
    parser.add_argument("--database", required=True, help="its owner's address")
    parser.add_argument("--seed", type=int)
    asked = parser.parse_args(arguments)
    report = check(asked.database, asked.folder, seed=asked.seed)
    for line in report.lines():
        say(line)
    return 0 if report.is_good else 1


def _mutants(arguments: list[str]) -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.chaos mutants")
    parser.add_argument("names", nargs="*", metavar="MUTANT", help=", ".join(MUTANTS))
    parser.add_argument("--seed", type=int)
    parser.add_argument("--times", type=int, default=1)
    parser.add_argument("--twins", action="store_true", help="run the sound ones too")
    parser.add_argument("--out", type=Path, default=RESULTS)
    asked = parser.parse_args(arguments)
    unknown = set(asked.names) - set(MUTANTS)
    if unknown:
        raise ValueError(f"unknown mutants: {', '.join(sorted(unknown))}")
    seed = new_seed() if asked.seed is None else asked.seed
    proofs = prove(
        asked.names or list(MUTANTS),
        seed=seed,
        times=asked.times,
        with_twins=asked.twins,
        say=say,
    )
    write_result(asked.out, f"mutants-{seed}", {"seed": seed, "proofs": proofs})
    if not all(map(is_proven, proofs)):
        return 1
    record_mutants(proofs, seed=seed)
    return 0


def _soak(arguments: list[str]) -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.chaos soak")
    parser.add_argument("--minutes", type=float, default=10)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--out", type=Path, default=RESULTS)
    asked = parser.parse_args(arguments)
    result, is_good = asyncio.run(soak(minutes=asked.minutes, seed=asked.seed, say=say))
    say(f"written to {write_result(asked.out, 'soak', result)}")
    if not is_good:
        return 1
    record_soak(result, minutes=asked.minutes, seed=asked.seed)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
