"""Webhook endpoints: secrets shown once, deliveries with attempts, sending again."""

from uuid import UUID

import httpx
import pytest

from gateway.api_models import Delivery, DeliveryList
from plumbing.sealing import MasterKey
from tests.builders import a_job, by_force, rows
from tests.fixtures.database import MASTER_KEY
from tests.integration.gateway.conftest import House
from tests.integration.gateway.refusals import check_problem

PATH = "/v1/webhook-endpoints"


@pytest.fixture
async def made(client: httpx.AsyncClient) -> dict[str, str]:
    body = {"url": "https://hooks.example.com/in", "description": "the newsroom"}
    response = await client.post(PATH, json=body)
    assert response.status_code == 201, response.text
    endpoint: dict[str, str] = response.json()
    assert response.headers["location"] == f"{PATH}/{endpoint['id']}"
    return endpoint


async def sealed_secrets(house: House, shown: str) -> list[str | None]:
    """What the notifier will sign with: the current secret and the one before."""
    endpoint_id = UUID(hex=shown.removeprefix("we_"))
    (row,) = await rows(
        house.database,
        "SELECT secret, secret_previous FROM webhook_endpoint WHERE id = :id",
        id=endpoint_id,
    )
    label = f"webhook-secret:{endpoint_id.hex}"
    key = MasterKey(MASTER_KEY)
    return [None if box is None else key.open(box, label=label).decode() for box in row]


async def test_a_secret_is_shown_once(
    made: dict[str, str], house: House, client: httpx.AsyncClient
) -> None:
    assert made["secret"].startswith("whsec_")
    assert await sealed_secrets(house, made["id"]) == [made["secret"], None]
    without = {name: value for name, value in made.items() if name != "secret"}
    assert (await client.get(f"{PATH}/{made['id']}")).json() == without
    listed = (await client.get(PATH)).json()
    assert without in listed["data"]
    assert made["secret"] not in str(listed)


async def test_a_new_secret_leaves_the_old_one_for_the_overlap(
    made: dict[str, str], house: House, client: httpx.AsyncClient
) -> None:
    rotated = (await client.post(f"{PATH}/{made['id']}/rotate")).json()
    assert rotated["secret"] != made["secret"]
    assert rotated["rotated_at"] is not None
    secrets = await sealed_secrets(house, made["id"])
    assert secrets == [rotated["secret"], made["secret"]]


async def test_a_deleted_endpoint_is_unknown_and_told_nothing(
    made: dict[str, str], house: House, client: httpx.AsyncClient
) -> None:
    path = f"{PATH}/{made['id']}"
    job = await a_job(house.database, house.tenant)
    deleted = await client.delete(path)
    assert (deleted.status_code, deleted.content) == (204, b"")
    for again in (await client.delete(path), await client.get(path)):
        check_problem(again, status=404, code="not_found")
    await client.post(f"/v1/summaries/sum_{job.hex}/cancel")
    told = await rows(
        house.database,
        "SELECT 1 FROM delivery WHERE job_id = :job AND endpoint_id = :endpoint",
        job=job,
        endpoint=UUID(hex=made["id"].removeprefix("we_")),
    )
    assert told == []


async def test_a_disabled_endpoint_can_be_enabled_and_is_told_again(
    made: dict[str, str], house: House, client: httpx.AsyncClient
) -> None:
    endpoint = UUID(hex=made["id"].removeprefix("we_"))
    await rows(
        house.database,
        "UPDATE webhook_endpoint SET state = 'disabled', disabled_reason = 'gone',"
        " failing_since = now() - interval '6 days' WHERE id = :id RETURNING id",
        id=endpoint,
    )
    path = f"{PATH}/{made['id']}"
    assert (await client.get(path)).json()["disabled_reason"] == "gone"
    enabled = await client.post(f"{path}/enable")
    assert enabled.status_code == 200, enabled.text
    assert (enabled.json()["status"], enabled.json()["disabled_reason"]) == (
        "enabled",
        None,
    )
    job = await a_job(house.database, house.tenant)
    await client.post(f"/v1/summaries/sum_{job.hex}/cancel")
    (stored,) = await rows(
        house.database,
        "SELECT w.failing_since FROM delivery d JOIN webhook_endpoint w"
        " ON w.id = d.endpoint_id WHERE d.job_id = :job AND w.id = :endpoint",
        job=job,
        endpoint=endpoint,
    )
    assert stored.failing_since is None


async def test_enabling_what_is_enabled_begins_no_grace_anew(
    made: dict[str, str], house: House, client: httpx.AsyncClient
) -> None:
    endpoint = UUID(hex=made["id"].removeprefix("we_"))
    await rows(
        house.database,
        "UPDATE webhook_endpoint SET failing_since = now() - interval '4 days'"
        " WHERE id = :id RETURNING id",
        id=endpoint,
    )
    assert (await client.post(f"{PATH}/{made['id']}/enable")).status_code == 200
    (stored,) = await rows(
        house.database,
        "SELECT failing_since FROM webhook_endpoint WHERE id = :id",
        id=endpoint,
    )
    assert stored.failing_since is not None
    await client.delete(f"{PATH}/{made['id']}")
    again = await client.post(f"{PATH}/{made['id']}/enable")
    check_problem(again, status=404, code="not_found")


async def test_what_was_given_up_is_listed_whoever_was_to_get_it(
    house: House, client: httpx.AsyncClient, stranger: httpx.AsyncClient
) -> None:
    named = {"webhook_url": "https://hooks.example.com/x", "webhook_lane": "host:x"}
    job = await a_job(house.database, house.tenant, delivery=named)
    await client.post(f"/v1/summaries/sum_{job.hex}/cancel")
    of_job = {"job": f"sum_{job.hex}"}
    given_up = {"status": "exhausted", "limit": "100"}
    (delivery,) = (await client.get("/v1/deliveries", params=of_job)).json()["data"]
    assert (delivery["receiver"], delivery["status"]) == (named["webhook_url"], "due")
    ids = [each["id"] for each in await listed(client, given_up)]
    assert delivery["id"] not in ids
    await rows(
        house.database,
        "UPDATE delivery SET state = 'sending', fence = fence + 1,"
        " lease_until = statement_timestamp() WHERE job_id = :job RETURNING id",
        job=job,
    )
    await rows(
        house.database,
        "UPDATE delivery SET state = 'exhausted', fence = fence + 1, lease_until = NULL,"
        " finished_at = statement_timestamp() WHERE job_id = :job RETURNING id",
        job=job,
    )
    assert (await listed(client, given_up))[0]["id"] == delivery["id"]
    assert await listed(stranger, of_job) == []
    assert await listed(stranger, given_up) == []


async def listed(
    client: httpx.AsyncClient, which: dict[str, str]
) -> list[dict[str, str]]:
    page = await client.get("/v1/deliveries", params=which)
    DeliveryList.model_validate(page.json())
    found: list[dict[str, str]] = page.json()["data"]
    return found


@pytest.mark.parametrize(
    ("which", "pointer"),
    [
        ({}, "?status"),
        ({"status": "due"}, "?status"),
        ({"job": "sum_1"}, "?job"),
        ({"job": f"sum_{UUID(int=7).hex}", "status": "exhausted"}, "?job"),
    ],
)
async def test_a_list_of_deliveries_says_which(
    client: httpx.AsyncClient, which: dict[str, str], pointer: str
) -> None:
    refused = await client.get("/v1/deliveries", params=which)
    problem = check_problem(refused, status=422, code="invalid_parameter")
    assert problem["errors"][0]["pointer"] == pointer


async def test_deliveries_are_listed_with_their_attempts(
    made: dict[str, str], house: House, client: httpx.AsyncClient
) -> None:
    jobs = [await a_job(house.database, house.tenant) for _ in range(3)]
    for job in jobs:
        await client.post(f"/v1/summaries/sum_{job.hex}/cancel")
    await rows(
        house.database,
        "INSERT INTO delivery_attempt (delivery_id, number, started_at, finished_at,"
        " code, error) SELECT id, 1, now(), now(), 500, 'status_500' FROM delivery"
        " WHERE job_id = :job AND endpoint_id = :endpoint RETURNING number",
        job=jobs[0],
        endpoint=UUID(hex=made["id"].removeprefix("we_")),
    )
    path = f"{PATH}/{made['id']}/deliveries"
    first = await client.get(path, params={"limit": 2})
    assert first.json()["has_more"] is True
    second = await client.get(first.links["next"]["url"])
    for page in (first, second):
        DeliveryList.model_validate(page.json())
    shown = first.json()["data"] + second.json()["data"]
    expected = [f"sum_{job.hex}" for job in reversed(jobs)]
    assert [delivery["summary_id"] for delivery in shown] == expected
    assert {delivery["event_type"] for delivery in shown} == {"summary.cancelled"}
    assert shown[0]["attempts"] == []
    (attempt,) = shown[2]["attempts"]
    assert (attempt["number"], attempt["code"], attempt["error"]) == (
        1,
        500,
        "status_500",
    )


async def test_only_what_is_over_is_sent_again(
    made: dict[str, str], house: House, client: httpx.AsyncClient
) -> None:
    job = await a_job(house.database, house.tenant)
    await client.post(f"/v1/summaries/sum_{job.hex}/cancel")
    path = f"{PATH}/{made['id']}/deliveries"
    (delivery,) = (await client.get(path)).json()["data"]
    replay = f"/v1/deliveries/{delivery['id']}/replay"
    refused = await client.post(replay)
    problem = check_problem(refused, status=409, code="not_replayable")
    assert problem["errors"] == [{"pointer": "", "code": "delivery_unfinished"}]
    await by_force(
        house.database,
        "UPDATE delivery SET state = 'exhausted', finished_at = now() WHERE id = :id",
        id=UUID(hex=delivery["id"].removeprefix("del_")),
    )
    again = await client.post(replay)
    assert again.status_code == 202, again.text
    Delivery.model_validate(again.json())
    assert again.json()["replay_of"] == delivery["id"]
    assert again.json()["event_id"] == delivery["event_id"]
    assert again.json()["status"] == "due"
    listed = (await client.get(path)).json()["data"]
    assert [entry["id"] for entry in listed] == [again.json()["id"], delivery["id"]]


async def test_a_hundred_endpoints_are_enough(
    house: House, stranger: httpx.AsyncClient
) -> None:
    await rows(
        house.database,
        "INSERT INTO webhook_endpoint (id, tenant_id, url, secret)"
        " SELECT gen_random_uuid(), :tenant, 'https://a.example/', 'x'"
        " FROM generate_series(1, 100) RETURNING id",
        tenant=house.stranger.id,
    )
    before = house.row_counts()
    response = await stranger.post(PATH, json={"url": "https://hooks.example.com/"})
    check_problem(response, status=409, code="too_many_endpoints")
    assert house.row_counts() == before
    await rows(
        house.database,
        "DELETE FROM webhook_endpoint WHERE url = 'https://a.example/' RETURNING id",
    )
