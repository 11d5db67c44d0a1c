"""What a worker holds, on a real database: claims, leases and stops that meet."""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import text

from jobs.counting import TokenCounter
from jobs.lifecycle import State
from jobs.messages.hint import ClaimRequest
from jobs.operations.leave import Departure, sweep_lapsed
from jobs.operations.wait import wake_due
from jobs.store.chunk_store import ChunkResult, ChunkRow
from jobs.store.job_store import find_states
from jobs.store.sealed import JobSeal
from plumbing.database import Database
from plumbing.engine_client import EngineClient
from plumbing.engine_discovery import discover
from plumbing.engine_pool import EnginePool
from plumbing.failpoints import (
    CHUNKS_STORED,
    ENDING_BEGUN,
    ENDING_COMMITTED,
    JOBS_CLAIMED,
    Point,
    arm,
)
from plumbing.sealing import MasterKey
from tests.builders import a_job, a_tenant, claim_jobs, rows
from tests.scripted_engine import Call, ScriptedEngine, first_words
from tests.waiting import until
from workers.batch.attempt import Tools
from workers.batch.engine_calls import EngineCalls
from workers.batch.holder import Holder
from workers.batch.ledger import Ledger
from workers.batch.slots import Slots, TextBudget

ONE = ClaimRequest(1)
SOFT_LIMIT = timedelta(seconds=2)
# Cut into several chunks: those of a short text are stored with its ending.
LONG = "This sentence says what the last one said. " * 400


@dataclass
class Worker:
    holder: Holder
    tools: Tools


@pytest.fixture
async def worker(
    database: Database, engine: ScriptedEngine, master_key: MasterKey
) -> AsyncIterator[Worker]:
    """A worker's inside without Celery, its heart beating."""
    clients = [EngineClient(engine.url, api_key=None)]
    served = await discover(clients, model=None, context=None)
    pool = EnginePool("batch", clients, model=served, max_in_flight_each=8)
    lease = timedelta(seconds=2)
    tools = Tools(
        ledger=Ledger(database, worker_id="of-the-tests", lease=lease),
        calls=EngineCalls(pool, limit=timedelta(minutes=5)),
        served=served,
        counter=TokenCounter(served, clients),
        master_key=master_key,
        texts=TextBudget(1_000),
        lease=lease,
        soft_limit=SOFT_LIMIT,
    )
    holder = Holder(tools, pool, Slots(8), stop_grace=timedelta(seconds=0.2))
    stop = asyncio.Event()
    beating = asyncio.create_task(holder.beat(stop))
    yield Worker(holder, tools)
    await holder.stop()
    stop.set()
    await beating
    await pool.stop()


async def never(_: Call) -> Any:
    await asyncio.Event().wait()


async def test_a_claim_that_meets_the_stop_is_handed_back(
    database: Database, worker: Worker, engine: ScriptedEngine
) -> None:
    engine.answer = never
    await a_job(database, await a_tenant(database))
    async with database.transaction() as tx:
        await tx.execute(text("LOCK TABLE job_key IN ACCESS EXCLUSIVE MODE"))
        working = asyncio.create_task(worker.holder.work(ONE, task_id="t"))
        waiting = "SELECT 1 FROM pg_stat_activity WHERE wait_event_type = 'Lock'"

        async def is_claiming() -> bool:
            return bool(await rows(database, waiting))

        await until(is_claiming)
        stopping = asyncio.create_task(worker.holder.stop())
        await asyncio.wait([stopping], timeout=0.5)
    async with asyncio.timeout(5):
        await stopping
        # Nothing is left to anybody's patience once the stop is over.
        assert await rows(database, "SELECT state, attempt FROM job") == [("queued", 0)]
        await working


async def test_a_job_lost_and_claimed_again_by_the_same_process_goes_on(
    database: Database, worker: Worker, engine: ScriptedEngine
) -> None:
    """A process that slept through its lease meets its own job again."""

    async def first_hangs(call: Call) -> Any:
        return await (never(call) if call.number == 1 else first_words(call))

    engine.answer = first_hangs
    job_id = await a_job(database, await a_tenant(database))
    stale = asyncio.create_task(worker.holder.work(ONE, task_id="stale"))

    async def is_asked() -> bool:
        return engine.open_calls == 1

    await until(is_asked)
    lapse = "UPDATE job SET lease_until = statement_timestamp() - interval '1 s'"
    await rows(database, f"{lapse} RETURNING id")
    async with database.statement() as tx:
        assert await sweep_lapsed(tx, pause=timedelta(0)) == {job_id: State.RETRY_WAIT}
    async with database.statement() as tx:
        await wake_due(tx)
    async with asyncio.timeout(10):
        await worker.holder.work(ONE, task_id="fresh")
        await stale
    async with database.statement() as tx:
        assert await find_states(tx, [job_id]) == {job_id: State.SUCCEEDED}


@pytest.mark.parametrize("point", [CHUNKS_STORED, ENDING_BEGUN, ENDING_COMMITTED])
async def test_a_word_that_postgres_lost_costs_no_attempt(
    database: Database, worker: Worker, tmp_path: Path, point: Point
) -> None:
    """Nobody sweeps here: who gave up would leave the job as it is."""
    job_id = await a_job(database, await a_tenant(database), text=LONG)
    (tmp_path / point).write_text("lose_answer 1 once")
    arm(tmp_path)
    try:
        async with asyncio.timeout(10):
            await worker.holder.work(ONE, task_id="t")
    finally:
        arm(None)
    assert not (tmp_path / point).exists()
    found = await rows(database, "SELECT id, state, attempt, suspect FROM job")
    assert found == [(job_id, "succeeded", 1, False)]


async def test_a_claim_whose_answer_was_lost_is_handed_back(
    database: Database, worker: Worker, tmp_path: Path
) -> None:
    """Beside jobs of this worker that it knows of, and keeps."""
    tenant = await a_tenant(database)
    async with worker.tools.texts.hold(1_000):
        kept = await a_job(database, tenant)
        working = asyncio.create_task(worker.holder.work(ONE, task_id="t"))

        async def is_claimed() -> bool:
            return bool(await rows(database, "SELECT FROM job WHERE state = 'running'"))

        await until(is_claimed)
        lost = await a_job(database, tenant)
        (tmp_path / JOBS_CLAIMED).write_text("lose_answer 1 once")
        arm(tmp_path)
        try:
            await worker.holder.work(ONE, task_id="t")
        finally:
            arm(None)
        found = await rows(database, "SELECT id, state, attempt, suspect FROM job")
        assert set(found) == {
            (kept, "running", 1, False),
            (lost, "queued", 0, False),
        }
    async with asyncio.timeout(10):
        await working


async def test_waiting_for_room_for_the_text_spends_no_attempt(
    database: Database, worker: Worker
) -> None:
    job_id = await a_job(database, await a_tenant(database))
    async with worker.tools.texts.hold(1_000):
        working = asyncio.create_task(worker.holder.work(ONE, task_id="t"))
        await asyncio.wait([working], timeout=1.5 * SOFT_LIMIT.total_seconds())
    async with asyncio.timeout(10):
        await working
    async with database.statement() as tx:
        assert await find_states(tx, [job_id]) == {job_id: State.SUCCEEDED}


async def test_a_text_of_which_nothing_can_be_read_is_no_success(
    database: Database, worker: Worker
) -> None:
    """A title sequence of a terminal passes for text and leaves nothing."""
    tenant = await a_tenant(database)
    await a_job(database, tenant, text="\x1b]0;a title and no text\x07")
    async with asyncio.timeout(10):
        await worker.holder.work(ONE, task_id="t")
    assert await rows(database, "SELECT state, error_code FROM job") == [
        ("failed", "text_unusable")
    ]


async def test_merges_planned_for_another_engine_leave_no_text_out(
    database: Database, worker: Worker, engine: ScriptedEngine, master_key: MasterKey
) -> None:
    """An earlier attempt grouped by another context: as many merges, other borders."""
    tenant = await a_tenant(database)
    await a_job(database, tenant, text="one two three four ")
    (held,) = await claim_jobs(database)
    seal = JobSeal.unwrap(held.id, held.wrapped_key, master_key)
    ledger = worker.tools.ledger

    async def store(stage: int, spans: list[tuple[int, int]], texts: list[str]) -> None:
        rows_of_stage = [
            ChunkRow(
                job_id=held.id, stage=stage, idx=idx, start=start, end=end, tokens=1
            )
            for idx, (start, end) in enumerate(spans)
        ]
        await ledger.plan(held, rows_of_stage)
        for idx, written in enumerate(texts):
            await ledger.store(
                ChunkResult(
                    job_id=held.id,
                    fence=held.fence,
                    stage=stage,
                    idx=idx,
                    sealed=seal.seal_chunk(written, stage=stage, idx=idx),
                    prompt_tokens=1,
                    completion_tokens=1,
                )
            )

    sections = [f"Section{n} " + f"says that thing{n} is so. " * 70 for n in range(4)]
    await store(0, [(0, 4), (4, 8), (8, 14), (14, 19)], sections)
    await store(1, [(0, 4), (4, 19)], ["Of the first alone."])
    await ledger.leave(
        Departure(id=held.id, fence=held.fence, wish=State.QUEUED, counts=False)
    )
    async with asyncio.timeout(10):
        await worker.holder.work(ONE, task_id="t")
    read = "".join(call.text for call in engine.calls)
    assert [f"Section{n} " in read for n in range(4)] == [True] * 4
