"""`python -m benchmarks [NAME...]`: runs all comparisons, or the named ones."""

import argparse
import asyncio
import sys
from collections.abc import Awaitable, Callable

from benchmarks import memory, pipeline, realtime
from benchmarks.results import write_results
from benchmarks.surroundings import Bench, open_bench

BENCHMARKS: dict[str, Callable[[Bench, int], Awaitable[dict[str, object]]]] = {
    "pipeline": pipeline.measure,
    "realtime": realtime.measure,
    "memory": memory.measure,
}


async def run(names: list[str], *, rounds: int) -> None:
    for name in names:
        # A fresh stack for each: no benchmark meets what another one left.
        async with open_bench() as bench:
            figures = await BENCHMARKS[name](bench, rounds)
        print(f"{name}: written to {write_results(name, figures)}\n", flush=True)


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("names", nargs="*", metavar="NAME", help=", ".join(BENCHMARKS))
    parser.add_argument("--rounds", type=int, default=3)
    asked = parser.parse_args()
    unknown = set(asked.names) - set(BENCHMARKS)
    if unknown:
        parser.error(f"unknown: {', '.join(sorted(unknown))}")
    asyncio.run(run(asked.names or list(BENCHMARKS), rounds=asked.rounds))
    return 0


if __name__ == "__main__":
    sys.exit(main())
