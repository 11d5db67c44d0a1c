"""One Idempotency-Key, one job: repeats, reuses, races and calls that never ended."""

import asyncio
from collections.abc import AsyncIterator
from datetime import timedelta
from typing import Any
from uuid import UUID

import pytest
from sqlalchemy import text as sql

from jobs.ids import SUMMARY, new_id, parse_id
from jobs.operations.idempotency import reserve_key
from tests.builders import a_tenant, rows
from tests.integration.gateway.conftest import bearer
from tests.integration.realtime.doors import SHORT, Door, a_door
from tests.scripted_engine import Call, ScriptedEngine, first_words, scripted_engine
from tests.waiting import until

Reply = tuple[int, dict[str, Any]]
LONG = SHORT * 100
KEY = '"8e03978e-40d5-43dd-bc93-6894a57f9324"'
BARE = KEY.strip('"')


@pytest.fixture
async def engine() -> AsyncIterator[ScriptedEngine]:
    async with scripted_engine() as serving:
        yield serving


@pytest.fixture
async def door(database_url: str, engine: ScriptedEngine) -> AsyncIterator[Door]:
    async with a_door(database_url, engine.url) as opened:
        yield opened


async def count_jobs(door: Door) -> int:
    return (await door.count_rows())["job"]


async def test_a_repeat_of_a_realtime_call_gets_its_summary(
    door: Door, engine: ScriptedEngine
) -> None:
    body = {"options": {"citations": True}}
    first = await door.post(body, Idempotency_Key=KEY)
    again = await door.post(body, Idempotency_Key=BARE)
    assert (first.status_code, again.status_code) == (200, 200)
    assert again.json() == first.json()
    assert again.headers["idempotency-replayed"] == "true"
    assert "idempotency-replayed" not in first.headers
    assert len(engine.calls) == 1
    assert await count_jobs(door) == 1


async def test_a_repeat_of_a_batch_call_gets_the_same_job(door: Door) -> None:
    first = await door.post({"text": LONG}, Idempotency_Key=KEY)
    again = await door.post({"text": LONG}, Idempotency_Key=KEY)
    assert (first.status_code, again.status_code) == (202, 202)
    assert again.json() == first.json()
    assert again.headers["location"] == first.headers["location"]
    assert again.headers["idempotency-replayed"] == "true"
    assert await count_jobs(door) == 1


@pytest.mark.parametrize("text", [SHORT, LONG], ids=["realtime", "batch"])
async def test_another_body_under_the_key_is_refused(door: Door, text: str) -> None:
    await door.post({"text": text}, Idempotency_Key=KEY)
    for body in ({"text": text + "!"}, {"text": text, "metadata": {"a": "b"}}):
        refused = await door.post(body, Idempotency_Key=KEY)
        assert (refused.status_code, refused.json()["code"]) == (422, "key_reused")
    assert await count_jobs(door) == 1


async def test_a_repeat_is_answered_even_when_it_would_be_refused_by_now(
    door: Door, engine: ScriptedEngine
) -> None:
    """Neither a deadline that has passed nor a pool in trouble turns a repeat away."""
    body = {"tier": "realtime"}
    first = await door.post(body, Idempotency_Key=KEY)

    async def broken(_: Call) -> Reply:
        return 500, {}

    engine.answer = broken
    again = await door.post(body, Idempotency_Key=KEY)
    assert again.status_code == 200
    assert again.json() == first.json()


async def test_a_call_that_is_under_way_is_not_repeated(
    door: Door, engine: ScriptedEngine
) -> None:
    go_on = asyncio.Event()

    async def held(call: Call) -> Reply:
        await go_on.wait()
        return await first_words(call)

    engine.answer = held
    first = asyncio.create_task(door.post(Idempotency_Key=KEY))

    async def is_working() -> bool:
        return engine.open_calls == 1

    await until(is_working)
    refused = await door.post(Idempotency_Key=KEY)
    assert (refused.status_code, refused.json()["code"]) == (409, "key_outstanding")
    assert 1 <= int(refused.headers["retry-after"]) <= 15
    other = await door.post({"text": SHORT + "!"}, Idempotency_Key=KEY)
    assert (other.status_code, other.json()["code"]) == (422, "key_reused")
    go_on.set()
    assert (await first).status_code == 200
    assert (await door.post(Idempotency_Key=KEY)).json() == (await first).json()
    assert len(engine.calls) == 1


async def test_a_call_that_went_on_in_batch_is_found_by_its_key(
    door: Door, engine: ScriptedEngine
) -> None:
    async def broken(_: Call) -> Reply:
        return 500, {}

    engine.answer = broken
    first = await door.post(Idempotency_Key=KEY)
    again = await door.post(Idempotency_Key=KEY)
    assert (first.status_code, again.status_code) == (202, 202)
    assert again.json()["id"] == first.json()["id"]
    assert await count_jobs(door) == 1


@pytest.mark.parametrize("text", [SHORT, LONG], ids=["realtime", "batch"])
async def test_twenty_at_once_make_one_job(door: Door, text: str) -> None:
    """Callers who heed Retry-After all end with the same id."""

    async def insist() -> str:
        for _ in range(50):
            answer = await door.post({"text": text}, Idempotency_Key=KEY)
            if answer.status_code != 409:
                assert answer.status_code in {200, 202}, answer.text
                shown: str = answer.json()["id"]
                return shown
            await asyncio.sleep(0.05)
        raise AssertionError("never admitted")

    ids = await asyncio.gather(*(insist() for _ in range(20)))
    assert len(set(ids)) == 1
    assert await count_jobs(door) == 1


async def test_a_key_belongs_to_its_tenant(door: Door) -> None:
    first = await door.post(Idempotency_Key=KEY)
    other = await a_tenant(door.database)
    answer = await door.client.post(
        "/v1/summaries",
        json={"text": "A text of somebody else."},
        headers=bearer(other) | {"Idempotency-Key": KEY},
    )
    assert answer.status_code == 200
    assert answer.json()["id"] != first.json()["id"]


@pytest.mark.parametrize("text", [SHORT, LONG], ids=["realtime", "batch"])
async def test_after_72_hours_a_key_is_new(door: Door, text: str) -> None:
    first = await door.post({"text": text}, Idempotency_Key=KEY)
    await _change_key(door, "expires_at = statement_timestamp() - interval '1 second'")
    again = await door.post({"text": text + "!"}, Idempotency_Key=KEY)
    assert again.status_code == first.status_code
    assert again.json()["id"] != first.json()["id"]


async def test_a_key_is_kept_for_72_hours(door: Door) -> None:
    for text in (SHORT, LONG):
        await door.post({"text": text}, Idempotency_Key=text[:5] + str(len(text)))
    kept = await rows(
        door.database, "SELECT expires_at - statement_timestamp() FROM idempotency_key"
    )
    assert len(kept) == 2
    for (span,) in kept:
        assert timedelta(hours=71, minutes=59) < span <= timedelta(hours=72)


@pytest.mark.parametrize("text", [SHORT, LONG], ids=["realtime", "batch"])
async def test_a_reservation_whose_gateway_died_is_taken_over(
    door: Door, text: str
) -> None:
    async with door.database.statement() as tx:
        assert await reserve_key(
            tx,
            door.tenant.id,
            BARE,
            fingerprint=b"\0" * 32,
            job_id=new_id(),
            lease=timedelta(seconds=-1),
        )
    answer = await door.post({"text": text}, Idempotency_Key=KEY)
    assert answer.status_code in {200, 202}
    assert "idempotency-replayed" not in answer.headers
    again = await door.post({"text": text}, Idempotency_Key=KEY)
    assert again.json()["id"] == answer.json()["id"]


async def test_a_call_that_lost_its_reservation_gives_the_winners_job(
    door: Door, engine: ScriptedEngine
) -> None:
    """While the engine works the lease lapses and a second call takes the key."""
    go_on = asyncio.Event()

    async def held_the_first_time(call: Call) -> Reply:
        if call.number == 1:
            await go_on.wait()
        return await first_words(call)

    engine.answer = held_the_first_time
    loser = asyncio.create_task(door.post(Idempotency_Key=KEY))

    async def is_working() -> bool:
        return engine.open_calls == 1

    await until(is_working)
    await _change_key(door, "lease_until = statement_timestamp() - interval '1 s'")
    winner = await door.post(Idempotency_Key=KEY)
    assert winner.status_code == 200
    go_on.set()
    late = await loser
    assert late.status_code == 200
    assert late.json() == winner.json()
    assert late.headers["idempotency-replayed"] == "true"
    (stored,) = await rows(door.database, "SELECT id FROM job")
    assert stored.id == _id_of(winner.json())


async def _change_key(door: Door, change: str) -> None:
    async with door.database.statement() as tx:
        await tx.execute(sql(f"UPDATE idempotency_key SET {change}"))


def _id_of(job: dict[str, Any]) -> UUID | None:
    return parse_id(SUMMARY, job["id"])
