"""Options, deadlines, limits, cursors, filters and dates (lines 58 to 69)."""

import json
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import quote

import httpx
import pytest

from tests.builders import a_job
from tests.integration.gateway.conftest import House
from tests.integration.gateway.refusals import (
    A_TEXT,
    Case,
    asked,
    check_problem,
    check_refused,
    table,
)

NOT_OURS = (
    "n",
    "temperature",
    "logprobs",
    "stop",
    "seed",
    "chat_template",
    "cache_salt",
    "guided_json",
    "prompt_embeds",
)


def option(line: int, value: Any, code: str, *, name: str = "length") -> Case:
    return Case(
        line=line,
        name=f"{name} {json.dumps(value)[:24]}",
        json=asked(options={name: value}),
        status=422,
        code=code,
        pointer=f"/options/{name}",
    )


def deadline(name: str, shown: Any, code: str) -> Case:
    return Case(
        line=64,
        name=name,
        json=asked(deadline=shown),
        status=422,
        code=code,
        pointer="/deadline",
    )


def listed(line: int, name: str, query: str, pointer: str, **changes: Any) -> Case:
    values: dict[str, Any] = {"status": 422, "code": "invalid_parameter"} | changes
    return Case(
        line=line,
        name=name,
        method="GET",
        path=f"/v1/summaries?{query}",
        pointer=pointer,
        **values,
    )


def in_days(days: float) -> str:
    return (datetime.now(UTC) + timedelta(days=days)).isoformat()


CASES = (
    option(58, 0, "invalid_value"),
    option(58, -1, "invalid_value"),
    option(58, 1_000_000_000, "invalid_value"),
    option(58, "10", "invalid_value"),
    option(58, 1.5, "invalid_value"),
    option(58, True, "wrong_type"),
    option(58, None, "invalid_value"),
    option(58, [], "invalid_value"),
    option(60, "huge", "invalid_value"),
    option(60, "Short", "invalid_value"),
    option(60, "yes", "wrong_type", name="citations"),
    option(60, 1, "wrong_type", name="citations"),
    option(60, "formal", "unknown_field", name="style"),
    option(60, "xx-YY", "unknown_field", name="language"),
    Case(
        line=60,
        name="tier",
        json=asked(tier="turbo"),
        status=422,
        code="invalid_value",
        pointer="/tier",
    ),
    Case(
        line=60,
        name="options is a list",
        json=asked(options=[]),
        status=422,
        code="wrong_type",
        pointer="/options",
    ),
    *(
        Case(
            line=62,
            name=name,
            json=asked(**{name: 1}),
            status=422,
            code="unknown_field",
            pointer=f"/{name}",
        )
        for name in NOT_OURS
    ),
    *(option(62, 1, "unknown_field", name=name) for name in NOT_OURS),
    deadline("past", "2020-01-01T00:00:00Z", "deadline_out_of_range"),
    deadline("in 73 hours", in_days(73 / 24), "deadline_out_of_range"),
    deadline("number", 1_900_000_000, "wrong_type"),
    deadline("no zone", "2026-11-22T10:00:00", "invalid_value"),
    deadline("year 99999", "99999-01-01T00:00:00Z", "invalid_value"),
    deadline("words", "tomorrow", "invalid_value"),
    Case(
        line=65,
        name="long text in realtime",
        json=asked(text="A fact is told here. " * 700, tier="realtime"),
        status=413,
        code="text_too_long_for_realtime",
        pointer="/text",
    ),
    *(
        listed(66, f"limit {value[:12]}", f"limit={value}", "?limit")
        for value in (
            "0",
            "-1",
            "1000000000",
            "101",
            "1.5",
            "1e1",
            "",
            "ten",
            "%D9%A1",
            "9" * 5000,
            "+5",
        )
    ),
    *(
        listed(
            67,
            f"cursor {name}",
            f"cursor={shown}",
            "?cursor",
            status=400,
            code="invalid_cursor",
        )
        for name, shown in (
            ("empty", ""),
            ("forged", "A" * 48),
            ("not base64", "%00%ff!"),
            ("an id", "sum_0199a1b2c3d47e8f9a0b1c2d3e4f5a6b"),
            ("long", "A" * 4000),
        )
    ),
    listed(68, "status with sql", "status=queued'%20OR%201=1--", "?status"),
    listed(68, "metadata with nul", "metadata[a]=%00", "?metadata"),
    listed(68, "metadata name with nul", "metadata[%00]=a", "?metadata"),
    listed(68, "metadata without name", "metadata[]=a", "?metadata"),
    listed(68, "long metadata name", f"metadata[{'k' * 65}]=a", "?metadata"),
    listed(68, "long metadata value", f"metadata[k]={'v' * 513}", "?metadata"),
    listed(
        68,
        "17 metadata filters",
        "&".join(f"metadata[k{n}]=v" for n in range(17)),
        "?metadata",
    ),
    listed(
        68,
        "unknown parameter",
        "tenant_id=1",
        "?tenant_id",
        code="unknown_parameter",
    ),
    *(
        listed(69, f"{name} {shown}", f"{name}={quote(shown)}", f"?{name}")
        for name in ("created_from", "created_before")
        for shown in (
            "0000-00-00",
            "0000-00-00T00:00:00Z",
            "99999-01-01T00:00:00Z",
            "2026-06-30T23:59:60Z",
            "2026-02-30T00:00:00Z",
            "2026-01-01",
            "2026-01-01T00:00:00",
            "9999-12-31T23:59:59-23:59",
            "1767225600",
            "",
        )
    ),
    listed(59, "limit twice", "limit=5&limit=6", "?limit"),
    listed(59, "cursor twice", "cursor=a&cursor=b", "?cursor"),
    listed(
        59,
        "dates that exclude each other",
        "created_from=2026-01-02T00:00:00Z&created_before=2026-01-01T00:00:00Z",
        "?created_before",
    ),
    Case(
        line=59,
        name="option twice",
        content=b'{"text": "a text", "options": {"length": 50, "length": 60}}',
        status=400,
        code="duplicate_member",
    ),
)


@table(*CASES)
async def test_it_is_refused(
    case: Case, house: House, client: httpx.AsyncClient
) -> None:
    await check_refused(case, house, client)


async def test_60_the_refusal_names_what_is_allowed(client: httpx.AsyncClient) -> None:
    response = await client.post(
        "/v1/summaries", json=asked(options={"length": "huge"})
    )
    problem = check_problem(response, status=422, code="invalid_value")
    assert problem["errors"] == [
        {
            "pointer": "/options/length",
            "code": "invalid_value",
            "expected": "'short', 'medium' or 'long'",
        }
    ]


async def test_64_the_whole_range_of_deadlines_is_accepted(
    client: httpx.AsyncClient,
) -> None:
    for days in (0.01, 2.99):
        response = await client.post(
            "/v1/summaries", json=asked(deadline=in_days(days), tier="batch")
        )
        assert response.status_code == 202, response.text


@pytest.fixture
async def next_cursor(house: House, client: httpx.AsyncClient) -> str:
    """A cursor that the tenant may use, for its list without filters."""
    for _ in range(2):
        await a_job(house.database, house.tenant)
    page = (await client.get("/v1/summaries", params={"limit": 1})).json()
    assert page["has_more"]
    cursor: str = page["next_cursor"]
    return cursor


async def test_67_a_cursor_of_another_tenant_is_refused(
    next_cursor: str, client: httpx.AsyncClient, stranger: httpx.AsyncClient
) -> None:
    query = {"cursor": next_cursor}
    assert (await client.get("/v1/summaries", params=query)).status_code == 200
    response = await stranger.get("/v1/summaries", params=query)
    check_problem(response, status=400, code="invalid_cursor")


@pytest.mark.parametrize("query", [{"status": "queued"}, {"metadata[a]": "b"}], ids=str)
async def test_67_a_cursor_of_another_filter_is_refused(
    query: dict[str, str], next_cursor: str, client: httpx.AsyncClient
) -> None:
    response = await client.get("/v1/summaries", params=query | {"cursor": next_cursor})
    check_problem(response, status=400, code="invalid_cursor")


async def test_67_a_cursor_of_a_list_of_deliveries_is_refused(
    next_cursor: str, client: httpx.AsyncClient
) -> None:
    made = await client.post(
        "/v1/webhook-endpoints", json={"url": "https://hooks.example.com/a"}
    )
    path = f"/v1/webhook-endpoints/{made.json()['id']}/deliveries"
    response = await client.get(path, params={"cursor": next_cursor})
    check_problem(response, status=400, code="invalid_cursor")


@pytest.mark.parametrize(
    "value", ["'; DROP TABLE job; --", "%", "_", "\\", "\U0001f600", "", "{}"]
)
async def test_68_a_strange_filter_finds_nothing_and_breaks_nothing(
    value: str, house: House, client: httpx.AsyncClient
) -> None:
    before = house.row_counts()
    query = {"metadata[colour]": value, "metadata[' OR ''=']": value}
    response = await client.get("/v1/summaries", params=query)
    assert response.status_code == 200
    assert response.json()["data"] == []
    assert house.row_counts() == before


async def test_68_a_broken_percent_code_is_no_error_of_ours(
    client: httpx.AsyncClient,
) -> None:
    for raw in ("metadata[a]=%zz", "metadata[a]=%ff%fe", "metadata[a]=%ed%a0%80"):
        response = await client.get(f"/v1/summaries?{raw}")
        assert response.status_code == 200
        assert response.json()["data"] == []
        assert A_TEXT not in response.text
