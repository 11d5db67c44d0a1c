"""Keys of callers, keys of requests, and ids that are not theirs (lines 70 to 84)."""

import asyncio
import secrets
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
import pytest
from sqlalchemy import text as sql
from structlog.testing import capture_logs

from jobs.api_keys import ApiKey
from jobs.store.tenant_store import create_key, revoke_key
from tests.builders import a_job
from tests.fixtures.database import PEPPER
from tests.integration.gateway.conftest import (
    GatewayThread,
    House,
    free_port,
    gateway_settings,
)
from tests.integration.gateway.refusals import (
    A_TEXT,
    Case,
    asked,
    check_problem,
    check_refused,
    table,
)
from tests.waiting import until

NOBODY = ApiKey.generate().shown()


def with_key(line: int, name: str, authorization: str) -> Case:
    return Case(
        line=line,
        name=name,
        json=asked(),
        headers={"Authorization": authorization},
        status=401,
        code="unauthorized",
    )


def with_idempotency_key(name: str, key: str | bytes) -> Case:
    headers: Any = {"Idempotency-Key": key}
    return Case(
        line=77,
        name=name,
        json=asked(),
        headers=headers,
        status=400,
        code="idempotency_key_invalid",
    )


MISTYPED = NOBODY[:-1] + ("a" if NOBODY[-1] != "a" else "b")
CASES = (
    with_key(70, "empty", ""),
    with_key(70, "basic", "Basic c2s6"),
    with_key(70, "bare key", NOBODY),
    with_key(71, "wrong checksum", f"Bearer {MISTYPED}"),
    with_key(71, "too short", f"Bearer {NOBODY[:-1]}"),
    with_key(71, "too long", f"Bearer {NOBODY}0"),
    with_key(71, "sql", "Bearer sk_live_' OR '1'='1"),
    with_key(71, "jwt", "Bearer eyJhbGciOiJub25lIn0.e30."),
    with_key(72, "unknown", f"Bearer {NOBODY}"),
    Case(
        line=75,
        name="key in the query",
        json=asked(),
        path=f"/v1/summaries?key={NOBODY}",
        status=401,
        code="key_in_query",
    ),
    Case(
        line=75,
        name="api_key in the query of a list",
        method="GET",
        path="/v1/summaries?api_key=12345678",
        status=401,
        code="key_in_query",
    ),
    Case(
        line=75,
        name="encoded key in the query",
        method="GET",
        path=f"/v1/summaries?cursor=%73k_live_{NOBODY[8:]}",
        status=401,
        code="key_in_query",
    ),
    with_idempotency_key("empty", ""),
    with_idempotency_key("empty quoted", '""'),
    with_idempotency_key("256 characters", "k" * 256),
    with_idempotency_key("256 quoted", f'"{"k" * 256}"'),
    with_idempotency_key("not ascii", "schl\u00fcssel".encode()),
    with_idempotency_key("tab", "a\tb"),
    with_idempotency_key("open quote", '"abc'),
)


@table(*CASES)
async def test_it_is_refused(
    case: Case, house: House, client: httpx.AsyncClient
) -> None:
    await check_refused(case, house, client)


@table(*(case for case in CASES if case.status == 401))
async def test_a_refused_key_is_told_how_and_never_repeated(
    case: Case, client: httpx.AsyncClient, caplog: pytest.LogCaptureFixture
) -> None:
    # Not capfd: the gateway's thread writes on while the captured file is closed.
    with capture_logs() as events:
        response = await client.request(
            case.method, case.path, json=case.json, headers=dict(case.headers)
        )
        request_id = response.headers["x-request-id"]

        async def is_logged() -> bool:
            return any(event.get("request_id") == request_id for event in events)

        await until(is_logged)
    assert response.headers["www-authenticate"].startswith("Bearer")
    assert NOBODY[17:] not in f"{response.text}{events}{caplog.text}"


async def test_77_255_printable_characters_are_a_key(client: httpx.AsyncClient) -> None:
    for key in ("~" * 255, '"' + "k" * 255 + '"', '"a \\"quoted\\" one"'):
        response = await client.post(
            "/v1/summaries",
            json=asked(tier="batch"),
            headers={"Idempotency-Key": key},
        )
        assert response.status_code == 202, response.text


async def test_77_a_folded_header_never_becomes_a_key(house: House) -> None:
    address = httpx.URL(house.url)
    reader, writer = await asyncio.open_connection(address.host, address.port)
    writer.write(
        b"POST /v1/summaries HTTP/1.1\r\nHost: a\r\nContent-Length: 0\r\n"
        b"Idempotency-Key: a\r\n b\r\n\r\n"
    )
    try:
        status = (await asyncio.wait_for(reader.readline(), 5)).split()[1]
    finally:
        writer.close()
    assert status in {b"400", b"401"}


async def test_70_every_path_under_v1_asks_for_a_key(house: House) -> None:
    async with httpx.AsyncClient(base_url=house.url, trust_env=False) as nobody:
        document = (await nobody.get("/openapi.json")).json()
        tried = 0
        for path, operations in document["paths"].items():
            for method in operations:
                filled = path.replace("{", "").replace("}", "")
                response = await nobody.request(method, filled)
                if path.startswith("/v1/"):
                    check_problem(response, status=401, code="unauthorized")
                    assert response.headers["www-authenticate"].startswith("Bearer")
                    tried += 1
                else:
                    assert response.status_code in {200, 404}
    assert tried >= 13


async def test_71_a_malformed_key_is_refused_without_a_database() -> None:
    nowhere = f"postgresql://nobody:x@127.0.0.1:{free_port()}/none"
    gateway = await asyncio.to_thread(GatewayThread(gateway_settings(nowhere)).start)
    try:
        async with httpx.AsyncClient(base_url=gateway.url, trust_env=False) as client:
            malformed = await client.get("/v1/summaries", headers=_bearer(MISTYPED))
            check_problem(malformed, status=401, code="unauthorized")
            well_formed = await client.get("/v1/summaries", headers=_bearer(NOBODY))
            check_problem(well_formed, status=503, code="database_unavailable")
            assert int(well_formed.headers["retry-after"]) >= 1
    finally:
        await asyncio.to_thread(gateway.stop)


async def test_72_a_revoked_and_an_expired_key_are_refused(
    house: House, client: httpx.AsyncClient
) -> None:
    revoked, expired = ApiKey.generate(), ApiKey.generate()
    past = datetime.now(UTC) - timedelta(seconds=1)
    for key, expires_at in ((revoked, None), (expired, past)):
        await _store_key(house, key, expires_at=expires_at)
        async with house.database.statement() as tx:
            await revoke_key(tx, revoked.id)
        before = house.row_counts()
        response = await client.post(
            "/v1/summaries", json=asked(), headers=_bearer(key.shown())
        )
        check_problem(response, status=401, code="unauthorized")
        assert house.row_counts() == before


async def test_72_a_right_id_with_a_wrong_secret_is_refused(
    house: House, client: httpx.AsyncClient
) -> None:
    known = house.tenant.api_key.split("_")[2]
    guess = ApiKey(known, secrets.token_hex(16)).shown()
    response = await client.get("/v1/summaries", headers=_bearer(guess))
    check_problem(response, status=401, code="unauthorized")


async def test_74_two_authorization_headers_are_refused(house: House) -> None:
    before = house.row_counts()
    key = house.headers["Authorization"]
    async with httpx.AsyncClient(base_url=house.url, trust_env=False) as client:
        response = await client.post(
            "/v1/summaries",
            json=asked(),
            headers=[("Authorization", key), ("Authorization", key)],
        )
    check_problem(response, status=400, code="duplicate_header")
    assert house.row_counts() == before


async def test_78_a_key_with_another_body_is_refused(
    house: House, client: httpx.AsyncClient
) -> None:
    headers = {"Idempotency-Key": secrets.token_hex(8)}
    await client.post("/v1/summaries", json=asked(tier="batch"), headers=headers)
    before = house.row_counts()
    response = await client.post(
        "/v1/summaries", json=asked(text=A_TEXT + "!", tier="batch"), headers=headers
    )
    check_problem(response, status=422, code="key_reused")
    assert house.row_counts() == before


@pytest.mark.parametrize(("tier", "status"), [("batch", 202), ("realtime", 200)])
async def test_79_a_repeat_gets_the_same_job(
    tier: str, status: int, house: House, client: httpx.AsyncClient
) -> None:
    headers = {"Idempotency-Key": f'"{secrets.token_hex(8)}"'}
    first = await client.post("/v1/summaries", json=asked(tier=tier), headers=headers)
    assert "idempotency-replayed" not in first.headers
    before = house.row_counts()
    again = await client.post("/v1/summaries", json=asked(tier=tier), headers=headers)
    assert (first.status_code, again.status_code) == (status, status)
    assert again.headers["idempotency-replayed"] == "true"
    assert again.json() == first.json()
    assert house.row_counts() == before


async def test_79_a_key_whose_call_is_outstanding_is_told_to_wait(
    house: House, client: httpx.AsyncClient
) -> None:
    key = secrets.token_hex(8)
    headers = {"Idempotency-Key": key}
    await client.post("/v1/summaries", json=asked(tier="batch"), headers=headers)
    await _change_key(
        house, key, "lease_until = statement_timestamp() + interval '9 s'"
    )
    before = house.row_counts()
    again = await client.post(
        "/v1/summaries", json=asked(tier="batch"), headers=headers
    )
    check_problem(again, status=409, code="key_outstanding")
    assert 1 <= int(again.headers["retry-after"]) <= 12
    assert house.row_counts() == before


async def test_80_a_key_of_another_tenant_is_another_key(
    client: httpx.AsyncClient, stranger: httpx.AsyncClient
) -> None:
    headers = {"Idempotency-Key": secrets.token_hex(8)}
    body = asked(tier="batch")
    mine = await client.post("/v1/summaries", json=body, headers=headers)
    theirs = await stranger.post(
        "/v1/summaries", json=body | {"text": A_TEXT + "?"}, headers=headers
    )
    assert (mine.status_code, theirs.status_code) == (202, 202)
    assert mine.json()["id"] != theirs.json()["id"]


async def test_81_a_key_of_four_days_ago_makes_a_new_job(
    house: House, client: httpx.AsyncClient
) -> None:
    key = secrets.token_hex(8)
    headers = {"Idempotency-Key": key}
    body = asked(tier="batch")
    first = await client.post("/v1/summaries", json=body, headers=headers)
    await _change_key(house, key, "expires_at = statement_timestamp()")
    again = await client.post(
        "/v1/summaries", json=body | {"text": A_TEXT + "!"}, headers=headers
    )
    assert again.status_code == 202, again.text
    assert again.json()["id"] != first.json()["id"]


@pytest.fixture
async def job_id(house: House) -> str:
    return f"sum_{(await a_job(house.database, house.tenant)).hex}"


@pytest.mark.parametrize(
    "shape",
    [
        "../summaries/{id}",
        "%2e%2e/summaries/{id}",
        "..%2fsummaries%2f{id}",
        "{id}%00",
        "{id}%0a",
        "{id}/",
        "{upper}",
        "sum_{upper_digits}",
        "we_{digits}",
        "{digits}",
        "{id}0",
        "{id}'%20OR%20'1'='1",
        "sum_" + "0" * 5000,
        "sum_%D9%A0" + "0" * 31,
    ],
)
async def test_83_a_misspelt_id_is_nobodys(
    shape: str, job_id: str, house: House, client: httpx.AsyncClient
) -> None:
    before = house.row_counts()
    digits = job_id.removeprefix("sum_")
    misspelt = shape.format(
        id=job_id, upper=job_id.upper(), digits=digits, upper_digits=digits.upper()
    )
    # As the request's very target: httpx would resolve the dots.
    target = f"/v1/summaries/{misspelt}".encode()
    response = await client.get("/", extensions={"target": target})
    check_problem(response, status=404, code="not_found")
    assert house.row_counts() == before


async def test_84_cancelling_a_finished_job_changes_nothing(
    house: House, client: httpx.AsyncClient
) -> None:
    done = (await client.post("/v1/summaries", json=asked(tier="realtime"))).json()
    path = f"/v1/summaries/{done['id']}"
    seen = (await client.get(path)).json()
    before = house.row_counts()
    for _ in range(2):
        response = await client.post(f"{path}/cancel")
        assert response.status_code == 200
        assert response.json() == seen
    assert house.row_counts() == before


def _bearer(key: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {key}"}


async def _store_key(house: House, key: ApiKey, *, expires_at: datetime | None) -> None:
    async with house.database.transaction() as tx:
        await create_key(
            tx,
            key.id,
            tenant_id=house.stranger.id,
            name="of the tests",
            secret_hmac=key.hmac(PEPPER.encode()),
            expires_at=expires_at,
        )


async def _change_key(house: House, key: str, change: str) -> None:
    async with house.database.statement() as tx:
        await tx.execute(
            sql(f"UPDATE idempotency_key SET {change} WHERE key = :key"), {"key": key}
        )
