"""The realtime path against bare forwarders, one core each, all to the same stub engine.

The gateway authenticates, limits, counts, chooses, checks, encrypts and commits a row
before it answers; the forwarders do none of it.
"""

from statistics import median
from typing import Any, Final

from sqlalchemy import text

from benchmarks.doors import OURS, load, open_door
from benchmarks.results import print_table, summed_up
from benchmarks.surroundings import Bench

_FORWARDER: Final = "benchmarks.bare_forwarder"
_DOORS: Final[dict[str, tuple[str, ...] | None]] = {
    "FastAPI + httpx": (_FORWARDER, "httpx"),
    "FastAPI + httpx over aiohttp": (_FORWARDER, "httpx-aiohttp"),
    OURS: None,
}
_DIRECT: Final = "stub engine alone"
_SECONDS: Final = 5.0
_WARM_UP: Final = 1.5
_CONNECTIONS: Final = (64, 1)

Answers = dict[str, dict[int, list[dict[str, Any]]]]


async def measure(bench: Bench, rounds: int) -> dict[str, object]:
    seen: Answers = {
        name: {connections: [] for connections in _CONNECTIONS}
        for name in (_DIRECT, *_DOORS)
    }
    for number in range(rounds):
        await _measure_engine(bench, seen[_DIRECT])
        # Another order in each round, so that nobody always comes after the same one.
        names = list(_DOORS)
        for name in names[number % len(names) :] + names[: number % len(names)]:
            async with open_door(bench, _DOORS[name]) as door:
                for connections in _CONNECTIONS:
                    answer = await _press(bench, door.port, connections)
                    seen[name][connections].append(answer)
            print(
                f"  {name} {seen[name][64][-1]['per_second']:.0f}/s", end="", flush=True
            )
        print(flush=True)
        await _check_rows(bench, seen[OURS])
    return _sum_up(seen, rounds)


async def _measure_engine(bench: Bench, seen: dict[int, list[dict[str, Any]]]) -> None:
    path = "/v1/chat/completions"
    for connections in _CONNECTIONS:
        answer = await _press(bench, bench.ports["engine"], connections, path=path)
        seen[connections].append(answer)


async def _press(
    bench: Bench, port: int, connections: int, **where: str
) -> dict[str, Any]:
    return await load(
        bench,
        port,
        tier="realtime",
        connections=connections,
        seconds=_SECONDS,
        warm_up=_WARM_UP,
        status=200,
        **where,
    )


async def _check_rows(bench: Bench, answers: dict[int, list[dict[str, Any]]]) -> None:
    """Every answer that was counted has its committed row and summary."""
    counted = sum(each[-1]["requests"] for each in answers.values())
    statement = "SELECT count(*) FROM job JOIN summary ON job_id = id"
    async with bench.database.statement() as tx:
        stored = await tx.scalar(text(f"{statement} WHERE state = 'succeeded'"))
        assert stored >= counted, (stored, counted)
        await tx.execute(text("TRUNCATE job CASCADE"))


def _sum_up(seen: Answers, rounds: int) -> dict[str, object]:
    ratios = {
        name: summed_up(_ratios(seen[OURS][64], seen[name][64]))
        for name in _DOORS
        if name != OURS
    }
    figures = {
        name: {
            f"c={connections}": {
                key: summed_up([answer[key] for answer in answers])
                for key in ("per_second", "p50_ms", "p99_ms")
            }
            for connections, answers in by_connections.items()
        }
        for name, by_connections in seen.items()
    }
    _print(seen)
    return {"rounds": rounds, "figures": figures, "ratio_of_gateway_to": ratios}


def _ratios(ours: list[dict[str, Any]], peer: list[dict[str, Any]]) -> list[float]:
    return [a["per_second"] / b["per_second"] for a, b in zip(ours, peer, strict=True)]


def _print(seen: Answers) -> None:
    """Latencies are what each server adds to the engine's own, at the median."""
    rows: list[tuple[object, ...]] = [
        (
            "server",
            "per second c=64",
            "gateway is x",
            "added ms c=1 p50/p99",
            "c=64 p50/p99",
        )
    ]
    rows += [
        (
            name,
            round(median(answer["per_second"] for answer in seen[name][64])),
            f"{median(_ratios(seen[OURS][64], seen[name][64])):.2f}",
            _added(seen, name, 1),
            _added(seen, name, 64),
        )
        for name in _DOORS
    ]
    print_table("realtime: one core each, a summary of 900 bytes", rows)


def _added(seen: Answers, name: str, connections: int) -> str:
    def added(key: str) -> float:
        whole, own = (
            median(float(each[key]) for each in seen[server][connections])
            for server in (name, _DIRECT)
        )
        return whole - own

    return f"{added('p50_ms'):.2f}/{added('p99_ms'):.2f}"
