"""Memory while large texts pass: of a worker, and of the gateway receiving 100 at once.

Flat is what is to be shown: the second book takes no more than the first, and a
hundred bodies no more than the few that have their turn.
"""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import asdict, dataclass, field
from datetime import timedelta
from functools import partial
from typing import Final, TypeVar

from sqlalchemy import text

from benchmarks.accepted_jobs import accept, accept_short, all_ended, last_end
from benchmarks.children import CLIENT_CORE
from benchmarks.doors import PATH, open_door
from benchmarks.job_drain import batch_tier
from benchmarks.results import print_table
from benchmarks.surroundings import Bench
from benchmarks.texts import book
from deploy.local.errands import until
from deploy.local.memory import measure_pss
from precis.demo.texts import long_text

T = TypeVar("T")
_EVERY_SECONDS: Final = 0.1
_LONGEST: Final = timedelta(minutes=5)
_BOOK: Final = 5_000_000
_SETTLE_SECONDS: Final = 1.0
_BODIES: Final = 100
_MIB: Final = 2**20


@dataclass
class Course:
    """PSS in MiB over the time of one piece of work."""

    what: str
    start: float = 0.0
    peak: float = 0.0
    end: float = 0.0
    seconds: float = 0.0
    over_time: list[float] = field(default_factory=list)


async def measure(bench: Bench, rounds: int) -> dict[str, object]:
    del rounds  # what repeats here is the work itself
    worker = await _measure_worker(bench)
    gateway = await _measure_gateway(bench)
    courses = [*worker, *gateway]
    rows: list[tuple[object, ...]] = [
        ("work", "seconds", "start", "peak", "end", "peak/start")
    ]
    rows += [
        (
            each.what,
            round(each.seconds, 1),
            round(each.start),
            round(each.peak),
            round(each.end),
            f"{each.peak / each.start:.2f}",
        )
        for each in courses
    ]
    print_table("memory: PSS in MiB", rows)
    return {"pss_mib": [asdict(each) for each in courses]}


async def _measure_worker(bench: Bench) -> list[Course]:
    tasks = {
        "worker: language reference, 465k characters": long_text(),
        "worker: a book of 5,000,000 characters": book(_BOOK),
        "worker: another such book": book(_BOOK),
    }
    async with batch_tier(bench) as processes:
        await accept_short(bench, 100)
        await until(partial(all_ended, bench.database), within=_LONGEST)
        pid = processes["worker"].pid
        return [
            await _watch(what, pid, partial(_summarize, bench, content))
            for what, content in tasks.items()
        ]


async def _summarize(bench: Bench, content: str) -> None:
    ids, _ = await accept(bench, [content])
    await until(partial(all_ended, bench.database), within=_LONGEST)
    await last_end(bench.database, ids)


async def _measure_gateway(bench: Bench) -> list[Course]:
    courses = []
    async with open_door(bench, None) as door:
        await _send(bench, door.port, characters=1000, connections=1)
        for which in ("first", "second"):
            send = partial(
                _send, bench, door.port, characters=_BOOK, connections=_BODIES
            )
            what = f"gateway: {_BODIES} bodies of 5 MB at once, {which} time"
            courses.append(await _watch(what, door.pid, send))
            async with bench.database.statement() as tx:
                await tx.execute(text("TRUNCATE job, outbox CASCADE"))
    return courses


async def _send(bench: Bench, port: int, *, characters: int, connections: int) -> None:
    answer = await bench.children.ask(
        "benchmarks.load_client",
        {
            "port": port,
            "path": PATH,
            "headers": {"Authorization": f"Bearer {bench.api_key}"},
            "body": {"text": book(characters), "tier": "batch"},
            "connections": connections,
            "seconds": 0,
        },
        core=CLIENT_CORE,
    )
    assert answer["statuses"] == {"202": connections}, answer["statuses"]


async def _watch(what: str, pid: int, work: Callable[[], Awaitable[None]]) -> Course:
    course = Course(what, start=_pss(pid))
    loop = asyncio.get_running_loop()
    began = loop.time()
    working = asyncio.ensure_future(work())
    while not working.done():
        course.over_time.append(_pss(pid))
        await asyncio.wait([working], timeout=_EVERY_SECONDS)
    await working
    course.seconds = round(loop.time() - began, 2)
    course.peak = max(course.over_time)
    await asyncio.sleep(_SETTLE_SECONDS)
    course.end = _pss(pid)
    return course


def _pss(pid: int) -> float:
    return round(measure_pss({"it": pid})["it"] / _MIB, 1)
