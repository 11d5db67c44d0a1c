"""What belongs to another tenant is answered as what does not exist (line 82).

The routes come from the OpenAPI document, so a new one is tried without being listed
here; one whose parameter has no example below fails.
"""

from dataclasses import dataclass
from typing import Any

import httpx
import pytest

from jobs.ids import new_id
from tests.builders import a_job, rows
from tests.integration.gateway.conftest import House
from tests.integration.gateway.refusals import check_problem

TEXT = "A secret of the owner, to be read by nobody else. It must not be found."


@dataclass(frozen=True)
class Belongings:
    """What the first tenant owns, by the name of the path's parameter."""

    summary_id: str
    endpoint_id: str
    delivery_id: str
    erasure_id: str

    def random(self) -> "Belongings":
        """Ids of the same shape that nobody owns."""
        shown = new_id().hex
        return Belongings(f"sum_{shown}", f"we_{shown}", f"del_{shown}", f"era_{shown}")


@pytest.fixture
async def belongings(house: House, client: httpx.AsyncClient) -> Belongings:
    made = await client.post(
        "/v1/webhook-endpoints", json={"url": "https://hooks.example.com/"}
    )
    job = await a_job(house.database, house.tenant, text=TEXT)
    summary_id = f"sum_{job.hex}"
    await client.post(f"/v1/summaries/{summary_id}/cancel")
    found = await rows(
        house.database, "SELECT id FROM delivery WHERE job_id = :job", job=job
    )
    erased = await a_job(house.database, house.tenant)
    receipt = (await client.delete(f"/v1/summaries/sum_{erased.hex}")).json()
    return Belongings(
        summary_id, made.json()["id"], f"del_{found[0].id.hex}", receipt["id"]
    )


async def guarded_paths(client: httpx.AsyncClient) -> list[tuple[str, str]]:
    document = (await client.get("/openapi.json")).json()
    return [
        (method, path)
        for path, operations in document["paths"].items()
        for method in operations
        if path.startswith("/v1/") and "{" in path
    ]


async def test_82_foreign_and_random_ids_get_the_same_answer_everywhere(
    house: House,
    belongings: Belongings,
    client: httpx.AsyncClient,
    stranger: httpx.AsyncClient,
) -> None:
    paths = await guarded_paths(client)
    assert len(paths) >= 11
    for method, path in paths:
        before = house.row_counts()
        foreign = await _ask(stranger, method, path, belongings)
        random = await _ask(stranger, method, path, belongings.random())
        check_problem(foreign, status=404, code="not_found")
        assert _comparable(foreign) == _comparable(random)
        assert house.row_counts() == before
        assert TEXT not in foreign.text


async def test_82_nothing_of_the_owner_was_changed(
    house: House,
    belongings: Belongings,
    client: httpx.AsyncClient,
    stranger: httpx.AsyncClient,
) -> None:
    seen = [await _state(house, table) for table in ("job", "webhook_endpoint")]
    for method, path in await guarded_paths(client):
        await _ask(stranger, method, path, belongings)
    now = [await _state(house, table) for table in ("job", "webhook_endpoint")]
    assert now == seen


async def test_82_the_owner_does_get_an_answer(
    belongings: Belongings, client: httpx.AsyncClient
) -> None:
    """Else the test above would be content with a gateway that knows nothing."""
    paths = await guarded_paths(client)
    for method, path in paths:
        if method == "delete":
            continue
        response = await _ask(client, method, path, belongings)
        assert response.status_code != 404, f"{method} {path}: {response.text}"


async def test_82_a_list_shows_only_the_tenants_own(
    belongings: Belongings, stranger: httpx.AsyncClient
) -> None:
    for path in ("/v1/summaries", "/v1/webhook-endpoints"):
        shown = (await stranger.get(path)).text
        assert belongings.summary_id not in shown
        assert belongings.endpoint_id not in shown


async def _ask(
    client: httpx.AsyncClient, method: str, path: str, ids: Belongings
) -> httpx.Response:
    return await client.request(method, path.format(**vars(ids)))


def _comparable(response: httpx.Response) -> Any:
    body = response.json() | {"instance": None, "request_id": None}
    headers = dict(response.headers)
    for name in ("x-request-id", "date", "content-length"):
        headers.pop(name)
    return body, headers


async def _state(house: House, table: str) -> Any:
    found = await rows(house.database, f"SELECT t::text AS row FROM {table} t")
    return sorted(row.row for row in found)
