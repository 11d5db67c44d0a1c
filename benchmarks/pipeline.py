"""The batch tier against Celery doing nothing, and acceptance against a bare insert.

One worker process on each side and the same Valkey. Ours does a whole job for each of
the peer's no-ops; what the peer leaves out (Postgres, Kafka, engine, encryption) shares
the two cores with us.
"""

from dataclasses import asdict
from typing import Final

from benchmarks.acceptance import measure_acceptance
from benchmarks.job_drain import JobDrain, drain_jobs
from benchmarks.noop_drain import NoopDrain, drain_noops
from benchmarks.results import print_table, summed_up
from benchmarks.surroundings import Bench

_COUNT: Final = 5_000
_PEERS: Final = (("solo", 1), ("prefork", 1), ("threads", 4))


async def measure(bench: Bench, rounds: int) -> dict[str, object]:
    ours: list[JobDrain] = []
    peers: dict[str, list[NoopDrain]] = {f"{p} {c}": [] for p, c in _PEERS}
    for _ in range(rounds):
        ours.append(await drain_jobs(bench, count=_COUNT))
        print(f"  jobs {ours[-1].per_second:.0f}/s", end="", flush=True)
        for pool, concurrency in _PEERS:
            drain = await drain_noops(
                bench, pool=pool, concurrency=concurrency, count=_COUNT
            )
            peers[f"{pool} {concurrency}"].append(drain)
            print(f"  {pool} {drain.per_second:.0f}/s", end="", flush=True)
        print(flush=True)
    drained = _sum_up(ours, peers)
    acceptance = await measure_acceptance(bench, rounds)
    return {"rounds": rounds, "drain": drained, "acceptance": acceptance}


def _sum_up(
    ours: list[JobDrain], peers: dict[str, list[NoopDrain]]
) -> dict[str, object]:
    jobs = summed_up([each.per_second for each in ours])
    noops = {
        name: summed_up([each.per_second for each in runs])
        for name, runs in peers.items()
    }
    best = max(noops, key=lambda name: noops[name]["median"])
    # Each round against the peer's same round, so that a slow minute hits both.
    ratios = summed_up(
        [
            ours_now.per_second / peer_now.per_second
            for ours_now, peer_now in zip(ours, peers[best], strict=True)
        ]
    )
    _print(jobs, noops, best, ratios, ours)
    return {
        "count": _COUNT,
        "jobs_per_second": jobs,
        "noops_per_second": noops,
        "best_peer": best,
        "ratio_to_best_peer": ratios,
        "runs": [asdict(each) for each in ours],
    }


def _print(
    jobs: dict[str, float],
    noops: dict[str, dict[str, float]],
    best: str,
    ratios: dict[str, float],
    ours: list[JobDrain],
) -> None:
    rows: list[tuple[object, ...]] = [("drained", "per second", "range", "x")]
    rows += [
        (
            f"no-op, {name}{' (best)' * (name == best)}",
            round(each["median"]),
            f"{each['min']:.0f}-{each['max']:.0f}",
            round(each["median"] / noops[best]["median"], 2),
        )
        for name, each in noops.items()
    ]
    jobs_range = f"{jobs['min']:.0f}-{jobs['max']:.0f}"
    rows.append(("jobs of ours", round(jobs["median"]), jobs_range, ratios["median"]))
    print_table(f"pipeline: {_COUNT} jobs against {_COUNT} Celery no-ops", rows)
    costs = ours[-1].cpu_us
    print_table(
        "processor time for a job, microseconds (last round)",
        [("process", "us"), *sorted(costs.items(), key=lambda each: -each[1])],
    )
