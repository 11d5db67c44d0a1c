"""A gateway killed, stopped, frozen, restarted, without a disk: its callers' view."""

import asyncio
import itertools
import signal
import time
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import Final
from uuid import uuid4

import httpx
import pytest

from plumbing.database import Database
from tests.builders import TenantForTests, rows
from tests.faults.front import A_TEXT, IN_BATCH, Front
from tests.faults.gateway.balancer import Balancer
from tests.faults.gateway.conftest import GatedEngine, StartFront
from tests.faults.gateway.wire import Answer, CutOff, Line, a_post, ask_once
from tests.fixtures.processes import Process, Processes
from tests.waiting import until

REALTIME: Final = {"text": A_TEXT, "tier": "realtime"}
LIMIT: Final = 1
"""Seconds that a realtime call may take; its reservation lasts two more."""
LEASE: Final = LIMIT + 2
DRAIN_LIMIT: Final = 30


async def count(database: Database, table: str) -> int:
    return int((await rows(database, f"SELECT count(*) FROM {table}"))[0][0])


async def works_on(engine: GatedEngine, calls: int) -> bool:
    return engine.scripted.open_calls == calls


async def insist(port: int, request: bytes, *, within: float) -> Answer:
    """Repeat as long as the first call with the key counts as outstanding."""
    end = time.monotonic() + within
    while True:
        answer = await ask_once(port, request)
        if answer.status != 409:
            return answer
        assert answer.document["code"] == "key_outstanding"
        assert 1 <= int(answer.headers["retry-after"]) <= 1.2 * LEASE + 1
        assert time.monotonic() < end, "the reservation does not lapse"
        await asyncio.sleep(0.1)


def keyed(tenant: TenantForTests, body: dict[str, str], number: int) -> list[bytes]:
    return [a_post(tenant, body, Idempotency_Key=uuid4().hex) for _ in range(number)]


async def cut_off(asked: Sequence[asyncio.Task[Answer]]) -> int:
    ends = await asyncio.gather(*asked, return_exceptions=True)
    return sum(isinstance(end, CutOff) for end in ends)


async def test_fault_gateway_k9(
    database: Database,
    tenant: TenantForTests,
    engine: GatedEngine,
    start_front: StartFront,
) -> None:
    """Killed in the middle of realtime calls: their reservations lapse, no half-job."""
    first, second = [await start_front(realtime_limit=LIMIT) for _ in range(2)]
    requests = keyed(tenant, REALTIME, 10)
    asked = [asyncio.create_task(ask_once(first.port, each)) for each in requests]
    await until(partial(works_on, engine, len(requests)))
    first.process.send_signal(signal.SIGKILL)
    assert await cut_off(asked) == len(requests)
    assert await count(database, "job") == await count(database, "summary") == 0
    assert await count(database, "idempotency_key") == len(requests)
    engine.gate.set()
    repeat = partial(insist, second.port, within=LEASE + 1)
    answers = await asyncio.gather(*map(repeat, requests))
    assert {answer.status for answer in answers} == {200}
    assert len({answer.document["id"] for answer in answers}) == len(requests)
    assert await count(database, "job") == len(requests)


async def test_a_kill_among_admissions_leaves_one_job_for_each_key(
    database: Database, tenant: TenantForTests, start_front: StartFront
) -> None:
    first, second = [await start_front() for _ in range(2)]
    requests = keyed(tenant, IN_BATCH, 150)
    asked = [asyncio.create_task(ask_once(first.port, each)) for each in requests]

    async def has_begun() -> bool:
        return await count(database, "job") > 0

    await until(has_begun)
    first.process.send_signal(signal.SIGKILL)
    ends = await asyncio.gather(*asked, return_exceptions=True)
    assert any(isinstance(end, Answer) for end in ends)
    assert any(isinstance(end, CutOff) for end in ends), "the kill came too late"
    repeat = partial(insist, second.port, within=LEASE)
    again = await asyncio.gather(*map(repeat, requests))
    assert {answer.status for answer in again} == {202}
    for end, answer in zip(ends, again, strict=True):
        if isinstance(end, Answer):
            assert end.document["id"] == answer.document["id"]
    assert await count(database, "job") == len(requests)
    assert await count(database, "job_input") == len(requests)


async def test_fault_gateway_term(
    tenant: TenantForTests, engine: GatedEngine, start_front: StartFront
) -> None:
    """What was begun is answered; nothing new is taken; it ends by itself."""
    front = await start_front()
    requests = keyed(tenant, REALTIME, 10)
    asked = [asyncio.create_task(ask_once(front.port, each)) for each in requests]
    await until(partial(works_on, engine, len(requests)))
    front.process.send_signal(signal.SIGTERM)
    began = time.monotonic()
    await until(partial(takes_nothing, front), seconds=5)
    engine.gate.set()
    assert {answer.status for answer in await asyncio.gather(*asked)} == {200}
    assert await asyncio.to_thread(front.process.wait, DRAIN_LIMIT) == 0
    assert time.monotonic() - began < DRAIN_LIMIT


async def test_a_caller_who_has_just_connected_is_heard_out(
    tenant: TenantForTests, engine: GatedEngine, start_front: StartFront
) -> None:
    """His request is under way while the gateway is told to stop."""
    engine.gate.set()
    front = await start_front()
    late = await Line.open(front.port)
    # Connections are taken in their order: after this answer his is, too.
    assert (await ask_once(front.port, a_post(tenant, REALTIME))).status == 200
    front.process.send_signal(signal.SIGTERM)
    await until(partial(takes_nothing, front), seconds=5)
    assert (await late.ask(a_post(tenant, REALTIME))).status == 200
    late.leave()
    assert await asyncio.to_thread(front.process.wait, DRAIN_LIMIT) == 0


async def takes_nothing(front: Front) -> bool:
    try:
        (await Line.open(front.port)).leave()
    except ConnectionError:
        return True
    return False


async def test_fault_gateway_stop(
    database: Database,
    tenant: TenantForTests,
    engine: GatedEngine,
    start_front: StartFront,
) -> None:
    """Probes notice it; asleep for longer than its reservation, it wakes too late.

    The other took the key over: its job is what the sleeper's caller gets.
    """
    frozen, other = [await start_front(realtime_limit=LIMIT) for _ in range(2)]
    (request,) = keyed(tenant, REALTIME, 1)
    asleep = asyncio.create_task(ask_once(frozen.port, request))
    await until(partial(works_on, engine, 1))
    frozen.process.send_signal(signal.SIGSTOP)
    try:
        async with httpx.AsyncClient(timeout=1, trust_env=False) as probe:
            with pytest.raises(httpx.TimeoutException):
                await probe.get(f"{frozen.url}/readyz")
        engine.gate.set()
        taken_over = await insist(other.port, request, within=LEASE + 1)
        assert taken_over.status == 200
    finally:
        frozen.process.send_signal(signal.SIGCONT)
    late = await asleep
    # The engine's answer came in its sleep: it may not be stored any more.
    assert late.status in {200, 503}
    if late.status == 200:
        assert late.document["id"] == taken_over.document["id"]
    await frozen.ready()
    again = await ask_once(frozen.port, request)
    assert again.document["id"] == taken_over.document["id"]
    assert await count(database, "job") == await count(database, "summary") == 1


async def test_fault_gateway_rst(
    database: Database, tenant: TenantForTests, start_front: StartFront
) -> None:
    """One of two is killed again and again: at most one request in a hundred notices.

    Between two kills come 500 requests, as between those of a loop that makes pauses.
    """
    unlucky, lucky = [await start_front() for _ in range(2)]
    balancer = Balancer([unlucky.port, lucky.port])
    is_over = asyncio.Event()
    load = [
        asyncio.create_task(submit_all_the_while(balancer, tenant, until_set=is_over))
        for _ in range(4)
    ]

    async def have_come(jobs: int) -> bool:
        return await count(database, "job") >= jobs

    for kill in range(1, 5):
        await restart_by_kill(unlucky)
        await until(partial(have_come, 500 * kill), seconds=30)
    is_over.set()
    told = await asyncio.gather(*load)
    cut = sum(each for each, _ in told)
    jobs = list(itertools.chain.from_iterable(ids for _, ids in told))
    assert cut <= 0.01 * len(jobs), f"{cut} of {len(jobs)}"
    assert len(set(jobs)) == len(jobs) == await count(database, "job")


async def restart_by_kill(front: Front) -> None:
    front.process.send_signal(signal.SIGKILL)
    await asyncio.to_thread(front.process.wait)
    await front.start_again()


async def submit_all_the_while(
    balancer: Balancer, tenant: TenantForTests, *, until_set: asyncio.Event
) -> tuple[int, list[str]]:
    """How often an answer was cut off, and the jobs; each has a key and is repeated."""
    cut, jobs = 0, []
    (request,) = keyed(tenant, IN_BATCH, 1)
    while not until_set.is_set():
        try:
            answer = await balancer.ask(request)
        except CutOff:
            cut += 1
            continue
        (request,) = keyed(tenant, IN_BATCH, 1)
        assert answer.status == 202
        jobs.append(answer.document["id"])
    return cut, jobs


class WithoutDisk(Processes):
    """Whatever they write into their log finds no room."""

    def start(
        self, module: str, *arguments: str, environment: dict[str, str] | None = None
    ) -> Process:
        full = Path("/dev/full")
        process = Process(module, *arguments, environment=environment or {}, log=full)
        self._started.append(process)
        return process


async def test_fault_gateway_disk(
    database: Database,
    tenant: TenantForTests,
    engine: GatedEngine,
    start_front: StartFront,
    tmp_path: Path,
) -> None:
    """Every request is logged, no line can be kept, and all are served."""
    engine.gate.set()
    starts = WithoutDisk(tmp_path)
    try:
        front = await start_front(starts=starts, log_level="INFO")
        for body, status in ((REALTIME, 200), (IN_BATCH, 202)) * 10:
            (request,) = keyed(tenant, body, 1)
            assert (await ask_once(front.port, request)).status == status
        assert await count(database, "job") == 20
    finally:
        await asyncio.to_thread(starts.stop)


async def test_fault_gateway_slow(
    tenant: TenantForTests, engine: GatedEngine, start_front: StartFront
) -> None:
    """The engine answers nobody in time: who can wait goes to batch, soon enough.

    Who cannot is told so at once.
    """
    front = await start_front(realtime_limit=LIMIT, realtime_max_in_flight=4)
    patient = [a_post(tenant, {"text": A_TEXT, "tier": "auto"})] * 40
    asked = [asyncio.create_task(ask_once(front.port, each)) for each in patient]
    await until(partial(works_on, engine, 4))
    (request,) = keyed(tenant, REALTIME, 1)
    refused = await ask_once(front.port, request)
    assert (refused.status, refused.asks_to_repeat) == (503, True)
    assert refused.seconds <= 0.25
    answers = await asyncio.gather(*asked)
    assert {answer.status for answer in answers} == {202}
    assert max(answer.seconds for answer in answers) <= LIMIT + 1
    assert {answer.document["routing"]["reason"] for answer in answers} <= {
        "pool_saturated",
        "pool_down",
        "too_slow",
    }
