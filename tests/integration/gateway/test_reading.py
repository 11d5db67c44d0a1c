"""Reading a job: status, waiting, result, finished sections, cancelling."""

import asyncio
import time
from datetime import UTC, datetime
from typing import Any

import httpx
import pytest

from gateway.api_models import PartialSummary, SummaryResult
from tests.builders import a_job, rows
from tests.integration.gateway.conftest import House
from tests.integration.gateway.refusals import A_TEXT, asked, check_problem
from tests.integration.gateway.running_jobs import (
    HALF,
    TEXT,
    RunningJob,
    erase_contents,
)
from tests.waiting import until


@pytest.fixture
async def running(house: House) -> RunningJob:
    return await RunningJob.start(house.database, house.tenant)


async def test_a_job_is_seen_at_once_after_202(client: httpx.AsyncClient) -> None:
    accepted = await client.post("/v1/summaries", json=asked(tier="batch"))
    location = accepted.headers["location"]
    seen = await client.get(location)
    assert seen.json() == accepted.json()
    assert seen.json()["links"]["self"] in location


async def test_a_realtime_answer_can_be_read_again(client: httpx.AsyncClient) -> None:
    body = asked(options={"citations": True}, metadata={"desk": "city"})
    answered = (await client.post("/v1/summaries", json=body)).json()
    path = f"/v1/summaries/{answered['id']}"
    light = (await client.get(path)).json()
    assert light == answered | {"summary": None, "citations": None}
    result = (await client.get(f"{path}/result")).json()
    assert result == {name: answered[name] for name in result}
    assert result.keys() == {
        "id",
        "summary",
        "citations",
        "quality",
        "usage",
        "provenance",
        "warnings",
    }
    partial = (await client.get(f"{path}/partial")).json()
    section = {"index": 0, "start": 0, "end": len(A_TEXT)}
    assert partial["sections"] == [section | {"summary": answered["summary"]}]
    assert partial["complete"] is True


async def test_an_unchanged_status_costs_no_body(
    running: RunningJob, client: httpx.AsyncClient
) -> None:
    path = f"/v1/summaries/{running.shown}"
    first = await client.get(path)
    known = {"If-None-Match": first.headers["etag"]}
    again = await client.get(path, headers=known)
    assert (again.status_code, again.content) == (304, b"")
    assert again.headers["etag"] == first.headers["etag"]
    assert again.headers["cache-control"] == "no-store"
    await running.finish_chunk(1)
    changed = await client.get(path, headers=known)
    assert changed.status_code == 200
    progress = changed.json()["progress"]
    assert (progress["phase"], progress["done"], progress["total"]) == ("mapping", 1, 2)
    assert changed.json()["version"] >= first.json()["version"]


@pytest.mark.parametrize(
    "asking", [{"headers": {"Prefer": "wait=20"}}, {"params": {"wait": 20}}], ids=str
)
async def test_a_wait_ends_with_the_job(
    asking: dict[str, Any],
    running: RunningJob,
    house: House,
    client: httpx.AsyncClient,
) -> None:
    path = f"/v1/summaries/{running.shown}"
    asked_at = datetime.now(UTC)
    waiting = asyncio.create_task(client.get(path, **asking))
    await _until_watched(house, since=asked_at)
    started = time.monotonic()
    await running.fail("model_output_invalid")
    response = await waiting
    assert time.monotonic() - started < 5
    assert response.json()["status"] == "failed"
    assert response.headers["preference-applied"] == "wait=20"
    assert response.headers["vary"] == "Prefer"
    assert "retry-after" not in response.headers


async def _until_watched(house: House, *, since: datetime) -> None:
    """Until the gateway has asked for the states of those who wait."""

    async def is_watched() -> bool:
        found = await rows(
            house.database,
            "SELECT 1 FROM pg_stat_activity WHERE datname = current_database()"
            " AND application_name = 'precis-gateway' AND query_start > :since"
            " AND query LIKE '%FROM job WHERE id = ANY%'",
            since=since,
        )
        return bool(found)

    await until(is_watched)


async def test_a_wait_that_runs_out_says_when_to_ask_again(
    running: RunningJob, client: httpx.AsyncClient
) -> None:
    path = f"/v1/summaries/{running.shown}"
    started = time.monotonic()
    response = await client.get(path, headers={"Prefer": "wait=1"})
    assert 1 <= time.monotonic() - started < 4
    assert response.json()["status"] == "running"
    assert 1 <= int(response.headers["retry-after"]) <= 40
    assert (await client.get(path)).headers.get("preference-applied") is None


@pytest.mark.parametrize("wait", ["61", "-1", "1.5", "", "ten"])
async def test_a_wait_out_of_range_is_refused(
    wait: str, running: RunningJob, client: httpx.AsyncClient
) -> None:
    response = await client.get(f"/v1/summaries/{running.shown}", params={"wait": wait})
    check_problem(response, status=422, code="invalid_parameter", pointer="?wait")


async def test_a_result_before_its_time_says_when_to_ask_again(
    running: RunningJob, client: httpx.AsyncClient
) -> None:
    response = await client.get(f"/v1/summaries/{running.shown}/result")
    check_problem(response, status=409, code="not_finished")
    assert int(response.headers["retry-after"]) >= 1


async def test_a_result_comes_in_the_form_asked_for(
    running: RunningJob, client: httpx.AsyncClient
) -> None:
    await running.succeed("# A *summary* \u2603")
    path = f"/v1/summaries/{running.shown}/result"
    as_json = await client.get(path, headers={"Accept": "application/json"})
    assert as_json.json()["summary"] == "# A *summary* \u2603"
    SummaryResult.model_validate(as_json.json())
    assert as_json.json()["quality"] == {"coverage": 1.0}
    assert as_json.json()["citations"][0]["source_end"] == 21
    as_text = await client.get(path, headers={"Accept": "text/markdown"})
    assert as_text.headers["content-type"] == "text/markdown; charset=utf-8"
    assert as_text.text == "# A *summary* \u2603"
    other = await client.get(path, headers={"Accept": "image/png"})
    assert other.json() == as_json.json()
    for response in (as_json, as_text):
        assert response.headers["cache-control"] == "no-store"
        assert response.headers["vary"] == "Accept"


async def test_a_failed_job_tells_why_and_keeps_its_sections(
    running: RunningJob, client: httpx.AsyncClient
) -> None:
    path = f"/v1/summaries/{running.shown}"
    await running.finish_chunk(1)
    await running.fail("model_output_invalid")
    status = (await client.get(path)).json()
    assert status["error"]["code"] == "model_output_invalid"
    refused = await client.get(f"{path}/result")
    problem = check_problem(refused, status=409, code="no_result")
    assert problem["error"] == status["error"]
    page = await client.get(status["error"]["type"])
    assert page.status_code == 200
    partial = (await client.get(f"{path}/partial")).json()
    PartialSummary.model_validate(partial)
    assert partial == {
        "id": running.shown,
        "status": "failed",
        "complete": False,
        "sections": [
            {"index": 1, "start": HALF, "end": len(TEXT), "summary": "Section 1."}
        ],
    }


async def test_sections_come_in_the_order_of_the_text(
    running: RunningJob, client: httpx.AsyncClient
) -> None:
    path = f"/v1/summaries/{running.shown}/partial"
    assert (await client.get(path)).json()["sections"] == []
    for idx in (1, 0):
        await running.finish_chunk(idx)
    partial = (await client.get(path)).json()
    assert [section["index"] for section in partial["sections"]] == [0, 1]
    assert partial["complete"] is False


async def test_what_was_erased_is_gone_and_not_unknown(
    running: RunningJob, house: House, client: httpx.AsyncClient
) -> None:
    await running.succeed("A summary that is erased.")
    await erase_contents(house.database, running.id)
    path = f"/v1/summaries/{running.shown}"
    assert (await client.get(path)).status_code == 200
    for page in ("result", "partial"):
        response = await client.get(f"{path}/{page}")
        check_problem(response, status=410, code="gone")


async def test_a_waiting_job_is_cancelled_at_once(
    house: House, client: httpx.AsyncClient
) -> None:
    job_id = await a_job(house.database, house.tenant)
    path = f"/v1/summaries/sum_{job_id.hex}"
    first = await client.post(f"{path}/cancel")
    assert (first.status_code, first.json()["status"]) == (200, "cancelled")
    assert (await client.post(f"{path}/cancel")).json() == first.json()
    refused = await client.get(f"{path}/result")
    problem = check_problem(refused, status=409, code="no_result")
    assert problem["error"] is None


async def test_a_running_job_is_asked_to_stop(
    running: RunningJob, client: httpx.AsyncClient
) -> None:
    path = f"/v1/summaries/{running.shown}"
    for _ in range(2):
        response = await client.post(f"{path}/cancel")
        assert response.status_code == 202
        assert response.json()["status"] == "running"
        assert response.json()["cancel_requested"] is True
        assert int(response.headers["retry-after"]) >= 1
    await running.stop()
    assert (await client.get(path)).json()["status"] == "cancelled"
    assert (await client.post(f"{path}/cancel")).status_code == 200
