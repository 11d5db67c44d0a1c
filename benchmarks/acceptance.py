"""Texts accepted a second: the real gateway against FastAPI with an ORM insert.

Both answer 202 after the commit, in one uvicorn process bound to one core, at 64
connections; the client and Postgres have the other core.
"""

from typing import Final

from sqlalchemy import text

from benchmarks.doors import OURS, load, open_door
from benchmarks.results import print_table, summed_up
from benchmarks.surroundings import Bench

_DOORS: Final = {"FastAPI + SQLAlchemy": ("benchmarks.bare_acceptor",), OURS: None}
_SECONDS: Final = 5.0
_WARM_UP: Final = 1.5
_CONNECTIONS: Final = 64


async def measure_acceptance(bench: Bench, rounds: int) -> dict[str, object]:
    seen: dict[str, list[float]] = {name: [] for name in _DOORS}
    for _ in range(rounds):
        for name, peer in _DOORS.items():
            async with open_door(bench, peer) as door:
                answer = await load(
                    bench,
                    door.port,
                    tier="batch",
                    connections=_CONNECTIONS,
                    seconds=_SECONDS,
                    warm_up=_WARM_UP,
                    status=202,
                )
            seen[name].append(answer["per_second"])
        await _forget_accepted(bench)
    return _sum_up(seen)


def _sum_up(seen: dict[str, list[float]]) -> dict[str, object]:
    peer, ours = seen
    ratios = [a / b for a, b in zip(seen[ours], seen[peer], strict=True)]
    figures = {name: summed_up(each) for name, each in seen.items()}
    ratio = summed_up(ratios)
    print_table(
        "acceptance: 202 after the commit, 64 connections, one core",
        [
            ("server", "per second", "x"),
            (peer, round(figures[peer]["median"]), 1.0),
            (ours, round(figures[ours]["median"]), ratio["median"]),
        ],
    )
    return {"per_second": figures, "ratio": ratio}


async def _forget_accepted(bench: Bench) -> None:
    """Nobody summarizes these; the next round finds the tables as this one did."""
    async with bench.database.statement() as tx:
        await tx.execute(text("TRUNCATE job, outbox, bench_accepted CASCADE"))
