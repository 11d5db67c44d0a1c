"""The caller's job, its summary and its finished sections, read and opened.

Every look begins with the tenant: an id that is malformed, unknown or another
tenant's is one and the same `JobNotFound`. How it is answered is the endpoints' part.
"""

from dataclasses import dataclass
from typing import Any
from uuid import UUID

from gateway.context import Gateway
from jobs.errors import JobNotFound, NoResult, NotFinished, ResultGone
from jobs.ids import SUMMARY, parse_id
from jobs.job import Job
from jobs.lifecycle import State
from jobs.store.chunk_store import ChunkRow, list_chunks
from jobs.store.content_store import find_summary, find_wrapped_key
from jobs.store.job_store import get_job
from jobs.store.sealed import JobSeal


@dataclass(frozen=True, slots=True, kw_only=True)
class Result:
    job: Job
    summary: str
    citations: list[dict[str, Any]] | None


@dataclass(frozen=True, slots=True, kw_only=True)
class SectionText:
    """The summary of one finished piece of the text."""

    index: int
    start: int
    end: int
    summary: str


def read_summary_id(shown: str) -> UUID:
    job_id = parse_id(SUMMARY, shown)
    if job_id is None:
        raise JobNotFound(shown)
    return job_id


async def read_job(gateway: Gateway, job_id: UUID, *, tenant_id: UUID) -> Job:
    """The tenant's job; `ResultGone` once its contents are erased or too old."""
    async with gateway.for_tenant(tenant_id) as tx:
        job = await get_job(tx, job_id, tenant_id=tenant_id)
    check_not_erased(job)
    return job


def check_not_erased(job: Job) -> None:
    if job.erased_at is not None:
        raise ResultGone(str(job.id))


async def read_result(gateway: Gateway, job: Job) -> Result:
    """The summary of a job that succeeded; raises why there is none otherwise."""
    _check_has_result(job)
    async with gateway.for_tenant(job.tenant_id) as tx:
        sealed = await find_summary(tx, job.id)
    if sealed is None:
        raise ResultGone(str(job.id))
    seal = JobSeal.unwrap(job.id, sealed.wrapped_key, gateway.master_key)
    return Result(
        job=job,
        summary=seal.open_summary(sealed.summary),
        citations=(
            None if sealed.citations is None else seal.open_citations(sealed.citations)
        ),
    )


async def read_sections(gateway: Gateway, job: Job) -> list[SectionText]:
    """The finished pieces in the order of the text, whatever became of the job."""
    async with gateway.for_tenant(job.tenant_id) as tx:
        wrapped = await find_wrapped_key(tx, job.id)
        chunks = await list_chunks(tx, job.id)
    if wrapped is None:
        raise ResultGone(str(job.id))
    seal = JobSeal.unwrap(job.id, wrapped, gateway.master_key)
    sections = [_open_section(chunk, seal) for chunk in chunks if _is_section(chunk)]
    if not chunks and job.state is State.SUCCEEDED:
        # A realtime answer has no chunks: its summary is the one section.
        result = await read_result(gateway, job)
        return [
            SectionText(index=0, start=0, end=job.characters, summary=result.summary)
        ]
    return sections


def _check_has_result(job: Job) -> None:
    if not job.is_final:
        raise NotFinished(str(job.id))
    if job.state is not State.SUCCEEDED:
        raise NoResult(state=job.state.value, error_code=job.error_code)


def _is_section(chunk: ChunkRow) -> bool:
    return chunk.stage == 0 and chunk.is_done


def _open_section(chunk: ChunkRow, seal: JobSeal) -> SectionText:
    return SectionText(
        index=chunk.idx,
        start=chunk.start,
        end=chunk.end,
        summary=seal.open_chunk(chunk.sealed or b"", stage=0, idx=chunk.idx),
    )
