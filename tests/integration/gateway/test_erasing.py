"""DELETE: contents gone, receipt kept, and the job answers 410 wherever it is asked for."""

from datetime import datetime, timedelta
from typing import Any
from uuid import uuid4

import httpx
import pytest

from jobs.ids import new_id
from tests.builders import a_job, rows
from tests.integration.gateway.conftest import House
from tests.integration.gateway.refusals import check_problem
from tests.integration.gateway.running_jobs import RunningJob
from tests.integration.jobs.contents import NOTHING, held

BODY: dict[str, Any] = {
    "text": "The council met on Tuesday. It voted for new buses. They come in spring.",
    "metadata": {"desk": "city"},
}
CONTENT = ["text", "sections", "summary", "citations", "metadata"]


async def test_the_receipt_names_every_store_and_stays(
    house: House, client: httpx.AsyncClient
) -> None:
    done = (await client.post("/v1/summaries", json=BODY)).json()
    answer = await client.delete(f"/v1/summaries/{done['id']}")

    assert answer.status_code == 202
    receipt = answer.json()
    assert answer.headers["Location"] == f"{house.url}/v1/erasures/{receipt['id']}"
    assert (receipt["object"], receipt["summary_id"]) == ("erasure", done["id"])
    stores = {store.pop("store"): store for store in receipt["stores"]}
    erased_at = receipt["erased_at"]
    assert stores["postgres"] == {
        "data": [*CONTENT, "encryption_key"],
        "state": "erased",
        "gone_at": erased_at,
    }
    for name in ("kafka", "valkey", "logs"):
        assert stores[name] == {
            "data": CONTENT,
            "state": "never_held",
            "gone_at": None,
        }
    backups = stores["backups"]
    assert backups["state"] == "expiring"
    assert _time(backups["gone_at"]) - _time(erased_at) == timedelta(days=35)
    assert len(stores) == 5
    assert (await client.get(answer.headers["Location"])).json() == answer.json()


async def test_everything_about_an_erased_job_is_gone(
    house: House, client: httpx.AsyncClient
) -> None:
    running = await RunningJob.start(house.database, house.tenant)
    await running.succeed("A short summary.")
    path = f"/v1/summaries/{running.shown}"
    assert (await client.get(path + "/result")).status_code == 200

    assert (await client.delete(path)).status_code == 202

    for method, suffix in (
        ("get", ""),
        ("get", "?wait=5"),
        ("get", "/result"),
        ("get", "/partial"),
        ("post", "/cancel"),
    ):
        answer = await client.request(method, path + suffix)
        check_problem(answer, status=410, code="gone")
    assert await held(house.database, running.id) == NOTHING
    assert running.shown not in (await client.get("/v1/summaries")).text


async def test_a_repeated_post_of_an_erased_job_is_gone_and_makes_no_other(
    house: House, client: httpx.AsyncClient
) -> None:
    key = {"Idempotency-Key": f'"{uuid4()}"'}
    done = (await client.post("/v1/summaries", json=BODY, headers=key)).json()
    await client.delete(f"/v1/summaries/{done['id']}")
    before = house.row_counts()
    again = await client.post("/v1/summaries", json=BODY, headers=key)
    check_problem(again, status=410, code="gone")
    assert house.row_counts() == before


async def test_a_repeated_delete_gives_the_same_receipt(
    house: House, client: httpx.AsyncClient
) -> None:
    job = await a_job(house.database, house.tenant)
    path = f"/v1/summaries/sum_{job.hex}"
    answers = [await client.delete(path) for _ in range(3)]
    assert {answer.status_code for answer in answers} == {202}
    assert len({answer.text for answer in answers}) == 1
    assert len({answer.headers["Location"] for answer in answers}) == 1


async def test_a_waiting_job_is_cancelled_with_its_erasure(
    house: House, client: httpx.AsyncClient
) -> None:
    job = await a_job(house.database, house.tenant)
    assert (await client.delete(f"/v1/summaries/sum_{job.hex}")).status_code == 202
    [row] = await rows(house.database, "SELECT state FROM job WHERE id = :id", id=job)
    assert row.state == "cancelled"
    told = "SELECT type FROM event WHERE job_id = :id"
    [event] = await rows(house.database, told, id=job)
    assert event.type == "summary.cancelled"


async def test_foreign_unknown_and_malformed_ids_get_one_answer(
    house: House, client: httpx.AsyncClient, stranger: httpx.AsyncClient
) -> None:
    job = await a_job(house.database, house.tenant)
    before = house.row_counts()
    for shown in (f"sum_{job.hex}", f"sum_{new_id().hex}", "sum_1", f"era_{job.hex}"):
        answer = await stranger.delete(f"/v1/summaries/{shown}")
        check_problem(answer, status=404, code="not_found")
    assert house.row_counts() == before
    receipt = (await client.delete(f"/v1/summaries/sum_{job.hex}")).json()
    for shown in (receipt["id"], f"era_{new_id().hex}", "era_1", receipt["summary_id"]):
        answer = await stranger.get(f"/v1/erasures/{shown}")
        check_problem(answer, status=404, code="not_found")


@pytest.mark.parametrize("method", ["delete", "get"])
async def test_a_parameter_is_refused(client: httpx.AsyncClient, method: str) -> None:
    path = {"delete": "/v1/summaries/sum_", "get": "/v1/erasures/era_"}[method]
    answer = await client.request(method, f"{path}{new_id().hex}?force=1")
    check_problem(answer, status=422, code="unknown_parameter", pointer="?force")


def _time(shown: str) -> datetime:
    return datetime.fromisoformat(shown)
