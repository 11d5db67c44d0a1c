"""POST /v1/summaries with everything in order: answered at once, or accepted."""

import asyncio
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
import pytest

from jobs.ids import ENDPOINT, SUMMARY, new_id, parse_id, show_id
from jobs.lifecycle import State
from jobs.operations.claim import Claim
from jobs.operations.leave import Departure, SealedResult, leave
from jobs.store.chunk_store import (
    ChunkResult,
    ChunkRow,
    PlannedChunk,
    plan_chunks,
    store_results,
)
from jobs.store.endpoint_store import create_endpoint
from jobs.store.sealed import JobSeal
from plumbing.sealing import MasterKey
from tests.builders import claim_jobs, rows
from tests.fixtures.database import MASTER_KEY
from tests.integration.gateway.conftest import House
from tests.waiting import until

SHORT = (
    "The council met on Tuesday to talk about buses. Forty electric ones will be "
    "bought next year. The mayor said that the old ones will be sold. Citizens had "
    "asked for cleaner air for years. A first line opens in April."
)
LONG = "The council met on Tuesday to talk about buses. " * 400


async def post(
    client: httpx.AsyncClient, body: dict[str, Any], **headers: str
) -> httpx.Response:
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return await client.post("/v1/summaries", json=body, headers=named)


async def test_a_short_text_comes_back_summarized(
    client: httpx.AsyncClient, house: House
) -> None:
    answer = await post(client, {"text": SHORT, "options": {"length": 20}})
    job = answer.json()
    assert answer.status_code == 200
    assert job["status"] == "succeeded"
    assert job["routing"]["reason"] == "short_text"
    assert 0 < len(job["summary"]) < len(SHORT)
    assert job["citations"] is None
    assert job["quality"] == {"coverage": 1.0}
    assert job["provenance"]["model"] == "precis-extractive"
    assert answer.headers["location"] == f"{house.url}{job['links']['self']}"
    assert answer.headers["x-routing-tier"] == "realtime"
    assert answer.headers["cache-control"] == "no-store"
    assert answer.headers["vary"] == "Prefer"


async def test_the_answer_can_be_read_again_under_its_id(
    client: httpx.AsyncClient,
) -> None:
    job = (await post(client, {"text": SHORT, "options": {"citations": True}})).json()
    status = (await client.get(job["links"]["self"])).json()
    assert status == job | {"summary": None, "citations": None}
    result = (await client.get(job["links"]["result"])).json()
    assert result["summary"] == job["summary"]
    assert result["citations"] == job["citations"]
    first = job["citations"][0]
    cited = SHORT[first["source_start"] : first["source_end"]]
    assert cited in job["summary"]


async def test_a_realtime_answer_leaves_a_sealed_summary_and_no_text(
    client: httpx.AsyncClient, house: House
) -> None:
    job = (await post(client, {"text": SHORT})).json()
    job_id = parse_id(SUMMARY, job["id"])
    (stored,) = await rows(
        house.database, "SELECT sealed FROM summary WHERE job_id = :id", id=job_id
    )
    assert b"council" not in bytes(stored.sealed)
    assert not await rows(
        house.database, "SELECT 1 FROM job_input WHERE job_id = :id", id=job_id
    )
    (event,) = await rows(
        house.database, "SELECT type FROM event WHERE job_id = :id", id=job_id
    )
    assert event.type == "summary.succeeded"


async def test_a_long_text_is_accepted_with_everything_it_needs(
    client: httpx.AsyncClient, house: House
) -> None:
    deadline = datetime.now(UTC) + timedelta(hours=2)
    body = {
        "text": LONG,
        "options": {"length": 300, "citations": True},
        "deadline": deadline.isoformat(),
        "delivery": {"email": ["Reader@Example.COM"]},
        "metadata": {"folder": "reports"},
    }
    answer = await post(client, body)
    job = answer.json()
    assert answer.status_code == 202
    assert (job["status"], job["tier"]) == ("queued", "batch")
    assert job["routing"]["reason"] == "long_text"
    assert job["metadata"] == {"folder": "reports"}
    assert int(answer.headers["retry-after"]) >= 1
    assert (await client.get(job["links"]["self"])).json() == job
    job_id = parse_id(SUMMARY, job["id"])
    (stored,) = await rows(
        house.database,
        "SELECT j.options, j.delivery, j.deadline, j.characters, i.sealed, k.wrapped"
        " FROM job j JOIN job_input i ON i.job_id = j.id JOIN job_key k USING (job_id)"
        " JOIN outbox o ON o.job_id = j.id WHERE j.id = :id",
        id=job_id,
    )
    assert stored.options == {"length": 300, "citations": True}
    assert stored.delivery["email"] == ["Reader@example.com"]
    assert stored.delivery["webhook_url"] is None
    assert stored.characters == len(LONG)
    assert stored.deadline == deadline
    assert job_id is not None
    seal = JobSeal.unwrap(job_id, bytes(stored.wrapped), MasterKey(MASTER_KEY))
    assert seal.open_text(bytes(stored.sealed)) == LONG
    assert b"council" not in bytes(stored.sealed)


async def test_the_border_between_the_tiers_is_exact(client: httpx.AsyncClient) -> None:
    at_border = "abcd " * 2400  # five Latin characters: 1.25 tokens each
    assert (await post(client, {"text": at_border})).json()["routing"]["tokens"] == 3000
    below, above = at_border[:-4], at_border + "abcd "
    assert (await post(client, {"text": below})).json()["tier"] == "realtime"
    assert (await post(client, {"text": above})).json()["tier"] == "batch"


async def test_realtime_refuses_a_long_text_and_names_the_limit(
    client: httpx.AsyncClient, house: House
) -> None:
    before = house.row_counts()
    answer = await post(client, {"text": LONG, "tier": "realtime"})
    assert answer.status_code == 413
    problem = answer.json()
    assert problem["code"] == "text_too_long_for_realtime"
    assert "3000" in problem["detail"]
    assert problem["errors"] == [
        {"pointer": "/text", "code": "text_too_long_for_realtime"}
    ]
    assert house.row_counts() == before


@pytest.mark.parametrize("prefer", ["respond-async", "wait=0"])
async def test_a_caller_who_will_not_wait_is_sent_to_batch(
    client: httpx.AsyncClient, prefer: str
) -> None:
    answer = await post(client, {"text": SHORT}, Prefer=prefer)
    assert answer.status_code == 202
    assert answer.headers["x-routing-reason"] == "respond_async"
    assert answer.headers["preference-applied"] == prefer


async def test_whoever_asks_for_batch_gets_it(client: httpx.AsyncClient) -> None:
    answer = await post(client, {"text": SHORT, "tier": "batch"})
    assert answer.status_code == 202
    assert answer.json()["routing"] == {
        "tier": "batch",
        "reason": "asked",
        "tokens": answer.json()["routing"]["tokens"],
        "threshold": 3000,
    }


async def test_a_caller_who_waits_gets_what_batch_finishes(
    client: httpx.AsyncClient, house: House
) -> None:
    text = SHORT + " Nobody else sends a text of just this length."
    asking = asyncio.create_task(
        post(client, {"text": text, "tier": "batch"}, Prefer="wait=20")
    )
    await _finish_as_worker(house, "Buses will be electric.", characters=len(text))
    answer = await asking
    assert answer.status_code == 200
    assert answer.json()["summary"] == "Buses will be electric."
    assert answer.json()["tier"] == "batch"
    assert answer.headers["preference-applied"] == "wait=20"


async def test_the_wait_ends_with_202(client: httpx.AsyncClient) -> None:
    answer = await post(client, {"text": SHORT, "tier": "batch"}, Prefer="wait=1")
    assert answer.status_code == 202
    assert answer.json()["status"] == "queued"


async def test_a_named_endpoint_must_be_ones_own(
    client: httpx.AsyncClient, stranger: httpx.AsyncClient, house: House
) -> None:
    endpoint_id = new_id()
    async with house.database.transaction() as tx:
        await create_endpoint(
            tx,
            endpoint_id,
            tenant_id=house.tenant.id,
            url="https://hooks.example.com/",
            description="",
            sealed_secret=b"sealed",
        )
    shown = show_id(ENDPOINT, endpoint_id)
    body = {"text": SHORT, "delivery": {"webhook": {"endpoint_id": shown}}}
    answer = await post(client, body)
    assert answer.status_code == 200
    deliveries = await rows(
        house.database,
        "SELECT endpoint_id FROM delivery WHERE job_id = :id",
        id=parse_id(SUMMARY, answer.json()["id"]),
    )
    assert [row.endpoint_id for row in deliveries] == [endpoint_id]
    refused = await post(stranger, body)
    assert refused.status_code == 422
    assert refused.json()["errors"] == [
        {"pointer": "/delivery/webhook/endpoint_id", "code": "endpoint_unknown"}
    ]


async def test_hidden_characters_are_left_out_and_noted(
    client: httpx.AsyncClient,
) -> None:
    job = (await post(client, {"text": SHORT + "\u202e\U000e0041 And so on."})).json()
    assert job["warnings"] == ["hidden_characters_left_out"]


async def _finish_as_worker(house: House, summary: str, *, characters: int) -> None:
    """Claim whatever waits, and finish the job whose text has this length."""
    found: list[Claim] = []

    async def claim_it() -> bool:
        claims = await claim_jobs(house.database, count=100)
        found.extend(each for each in claims if each.characters == characters)
        return bool(found)

    await until(claim_it)
    (held,) = found
    seal = JobSeal.unwrap(held.id, held.wrapped_key, MasterKey(MASTER_KEY))
    row = ChunkRow(
        job_id=held.id, stage=0, idx=0, start=0, end=held.characters, tokens=1
    )
    result = ChunkResult(
        job_id=held.id,
        fence=held.fence,
        stage=0,
        idx=0,
        sealed=seal.seal_chunk(summary, stage=0, idx=0),
        prompt_tokens=1,
        completion_tokens=1,
    )
    sealed = SealedResult(
        summary=seal.seal_summary(summary),
        citations=None,
        prompt_tokens=1,
        completion_tokens=1,
        provenance={},
    )
    departure = Departure(
        id=held.id, fence=held.fence, wish=State.SUCCEEDED, result=sealed
    )
    async with house.database.transaction() as tx:
        await plan_chunks(tx, [PlannedChunk(row=row, fence=held.fence)])
        await store_results(tx, [result])
    async with house.database.statement() as tx:
        assert await leave(tx, [departure]) == {held.id: State.SUCCEEDED}
