"""Erasing: what belongs to a job is gone when the answer is sent; the receipt stays.

A live job is cancelled with it. Receipts are read by their tenant for ever; jobs that
were erased are `410 gone`. The change itself is `jobs.operations.erase`.
"""

from datetime import timedelta
from typing import Any, Final
from uuid import UUID

from fastapi import APIRouter, Request, Response
from fastapi.responses import JSONResponse

from gateway.context import gateway_of
from gateway.erasure_models import ErasureView
from gateway.job_access import read_summary_id
from gateway.openapi import problem_responses
from gateway.parts.authentication import authenticate
from gateway.requests.own_address import own_address
from gateway.requests.query_parameters import read_parameters
from jobs.ids import ERASURE, SUMMARY, parse_id, show_id
from jobs.messages.job_object import show_time
from jobs.operations.erase import erase
from jobs.store.erasure_store import Erasure, ErasureUnknown, get_erasure

BACKUPS_KEPT: Final = timedelta(days=35)
"""By then the last backup that holds the job's contents and its key is gone."""
_CONTENT: Final = ("text", "sections", "summary", "citations", "metadata")
_CONTENT_AND_KEY: Final = (*_CONTENT, "encryption_key")
_NEVER_HELD: Final = ("kafka", "valkey", "logs")

router = APIRouter(tags=["summaries"])


@router.delete(
    "/v1/summaries/{summary_id}",
    status_code=202,
    response_model=ErasureView,
    response_description="All contents are erased; a repeat gives the same receipt.",
    responses=problem_responses("not_found", "unknown_parameter"),
)
async def erase_summary(request: Request, summary_id: str) -> Response:
    """Erase text, sections, summary, citations, metadata and key; cancel a live job.

    The job answers `410 gone` from then on. The receipt says what is gone when.
    """
    caller = await authenticate(request)
    read_parameters(request.query_params.multi_items())
    gateway = gateway_of(request)
    job_id = read_summary_id(summary_id)
    async with gateway.for_tenant(caller.tenant_id) as tx:
        erasure = await erase(tx, job_id, tenant_id=caller.tenant_id)
    path = f"/v1/erasures/{show_id(ERASURE, erasure.id)}"
    headers = {
        "Location": own_address(request, public_url=gateway.settings.public_url) + path,
        "Cache-Control": "no-store",
    }
    return JSONResponse(_receipt(erasure), status_code=202, headers=headers)


@router.get(
    "/v1/erasures/{erasure_id}",
    response_model=ErasureView,
    responses=problem_responses("not_found", "unknown_parameter"),
)
async def get_receipt(request: Request, erasure_id: str) -> Response:
    """The receipt of an erasure: what was gone when, store by store."""
    caller = await authenticate(request)
    read_parameters(request.query_params.multi_items())
    known = _read_erasure_id(erasure_id)
    async with gateway_of(request).for_tenant(caller.tenant_id) as tx:
        erasure = await get_erasure(tx, known, tenant_id=caller.tenant_id)
    return JSONResponse(_receipt(erasure), headers={"Cache-Control": "no-store"})


def _read_erasure_id(shown: str) -> UUID:
    erasure_id = parse_id(ERASURE, shown)
    if erasure_id is None:
        raise ErasureUnknown(shown)
    return erasure_id


def _receipt(erasure: Erasure) -> dict[str, Any]:
    erased_at = show_time(erasure.erased_at)
    expires_at = show_time(erasure.erased_at + BACKUPS_KEPT)
    return {
        "id": show_id(ERASURE, erasure.id),
        "object": "erasure",
        "summary_id": show_id(SUMMARY, erasure.job_id),
        "requested_at": show_time(erasure.requested_at),
        "erased_at": erased_at,
        "stores": [
            _store("postgres", _CONTENT_AND_KEY, state="erased", gone_at=erased_at),
            *(_store(name, _CONTENT, state="never_held") for name in _NEVER_HELD),
            _store("backups", _CONTENT_AND_KEY, state="expiring", gone_at=expires_at),
        ],
    }


def _store(
    name: str, data: tuple[str, ...], *, state: str, gone_at: str | None = None
) -> dict[str, Any]:
    return {"store": name, "data": list(data), "state": state, "gone_at": gone_at}
