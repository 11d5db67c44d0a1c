"""Lists: newest first, page by page, filtered, each entry once."""

from datetime import UTC, datetime, timedelta

import httpx
import pytest

from tests.builders import a_job, by_force, rows
from tests.integration.gateway.conftest import House


@pytest.fixture
async def labelled(house: House) -> list[str]:
    """Five jobs of the tenant under a label of their own, newest first."""
    made = [
        await a_job(
            house.database,
            house.tenant,
            metadata={"batch": str(datetime.now(UTC).timestamp()), "n": str(number)},
        )
        for number in range(5)
    ]
    label = made[0].hex
    for job_id in made:
        await rows(
            house.database,
            "UPDATE job_metadata SET value = :label"
            " WHERE job_id = :job AND key = 'batch' RETURNING job_id",
            label=label,
            job=job_id,
        )
    return [f"sum_{job_id.hex}" for job_id in reversed(made)]


def label_of(labelled: list[str]) -> str:
    return labelled[-1].removeprefix("sum_")


async def test_pages_follow_one_another_and_end(
    labelled: list[str], house: House, client: httpx.AsyncClient
) -> None:
    query = {"metadata[batch]": label_of(labelled), "limit": "2"}
    response = await client.get("/v1/summaries", params=query)
    seen: list[str] = []
    for _ in range(3):
        page = response.json()
        assert page["object"] == "list"
        seen += [entry["id"] for entry in page["data"]]
        # One that comes meanwhile is newer: it moves no page.
        await a_job(house.database, house.tenant)
        if page["has_more"]:
            following = response.links["next"]["url"]
            assert page["next_cursor"] in following
            response = await client.get(following)
    assert seen == labelled
    assert page["has_more"] is False
    assert page["next_cursor"] is None
    assert "link" not in response.headers


async def test_an_entry_is_the_light_job_object(
    labelled: list[str], client: httpx.AsyncClient
) -> None:
    query = {"metadata[batch]": label_of(labelled), "metadata[n]": "3"}
    (entry,) = (await client.get("/v1/summaries", params=query)).json()["data"]
    assert entry == (await client.get(f"/v1/summaries/{entry['id']}")).json()


async def test_a_job_that_waits_for_its_next_attempt_is_found_as_queued(
    labelled: list[str], house: House, client: httpx.AsyncClient
) -> None:
    query = {"metadata[batch]": label_of(labelled)}
    await client.post(f"/v1/summaries/{labelled[0]}/cancel")
    await by_force(
        house.database,
        "UPDATE job SET state = 'retry_wait', attempt = 1 WHERE id = :job",
        job=labelled[1].removeprefix("sum_"),
    )
    for statuses, expected in (
        (["queued"], labelled[1:]),
        (["cancelled"], labelled[:1]),
        (["queued", "cancelled"], labelled),
        (["succeeded"], []),
    ):
        response = await client.get(
            "/v1/summaries", params=query | {"status": statuses}
        )
        assert [entry["id"] for entry in response.json()["data"]] == expected


async def test_dates_bound_the_list(
    labelled: list[str], client: httpx.AsyncClient
) -> None:
    query = {"metadata[batch]": label_of(labelled)}
    now = datetime.now(UTC)
    hour = timedelta(hours=1)
    for name, moment, count in (
        ("created_from", now - hour, 5),
        ("created_from", now + hour, 0),
        ("created_before", now + hour, 5),
        ("created_before", now - hour, 0),
    ):
        response = await client.get(
            "/v1/summaries", params=query | {name: moment.isoformat()}
        )
        assert len(response.json()["data"]) == count


async def test_a_list_without_limit_shows_twenty(
    house: House, client: httpx.AsyncClient
) -> None:
    for _ in range(21):
        await a_job(house.database, house.tenant)
    page = (await client.get("/v1/summaries")).json()
    assert len(page["data"]) == 20
    assert page["has_more"] is True
