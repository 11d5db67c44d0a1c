"""A look behind the door: proof that no part of the path is decoration."""

import asyncio
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from deploy.local.ready import Ready
from jobs.ids import SUMMARY, parse_id
from jobs.store.chunk_store import ChunkRow, list_chunks
from plumbing.database import Database
from plumbing.kafka_topics import committed_offsets
from plumbing.settings import KafkaSettings

_PATIENCE_SECONDS: Final = 10


@dataclass(frozen=True, slots=True, kw_only=True)
class Evidence:
    committed_hints: int
    """Sum of the consumer group's committed offsets."""
    celery_log_lines: int
    """Lines in which the Celery worker names the task that ran the job."""
    chunks: tuple[ChunkRow, ...]
    merges: tuple[ChunkRow, ...]


async def gather_evidence(
    ready: Ready, summary_id: str, *, task_id: str, logs: Path
) -> Evidence:
    rows = await _chunk_rows(ready, summary_id)
    return Evidence(
        committed_hints=await _committed_hints(ready),
        celery_log_lines=(logs / "worker.log").read_text().count(task_id),
        chunks=tuple(row for row in rows if row.stage == 0),
        merges=tuple(row for row in rows if row.stage > 0),
    )


async def _chunk_rows(ready: Ready, summary_id: str) -> list[ChunkRow]:
    job_id = parse_id(SUMMARY, summary_id)
    if job_id is None:
        return []
    database = Database(ready.database_url, pool_size=1)
    try:
        async with database.statement() as tx:
            return await list_chunks(tx, job_id)
    finally:
        await database.close()


async def _committed_hints(ready: Ready) -> int:
    """Read until it is there: the offset is committed just after the hand-over."""
    settings = KafkaSettings(kafka_bootstrap=ready.kafka.bootstrap)
    committed = 0
    for _ in range(_PATIENCE_SECONDS * 4):
        offsets = await committed_offsets(settings, ready.kafka.topic)
        committed = sum(offsets.values())
        if committed:
            break
        await asyncio.sleep(0.25)
    return committed
