"""`precis explain`: why a job waits, where it stands, and what has happened to it."""

import json
from datetime import timedelta
from typing import Any
from uuid import UUID

import pytest

from jobs.ids import SUMMARY, show_id
from jobs.lifecycle import State
from jobs.operations.erase import erase
from jobs.operations.leave import Departure, leave
from jobs.store.worker_store import report_worker
from plumbing.database import Database
from tests.builders import TenantForTests, a_job, a_tenant, claim_jobs
from tests.integration.precis.conftest import Cli
from tests.integration.precis.worker_hand import SUMMARY as SUMMARY_TEXT
from tests.integration.precis.worker_hand import WorkerHand

MAILBOX = "reader@private.example"
HOOK = "https://hooks.private.example/secret-path"
WORDS = "The marker word is quagga, and nobody else uses it in this database."


async def _explain(admin: Cli, job_id: UUID) -> dict[str, Any]:
    done = await admin.run("explain", show_id(SUMMARY, job_id), "--json")
    assert done.status == 0, done.err
    told: dict[str, Any] = json.loads(done.out)
    return told


def _codes(told: dict[str, Any]) -> list[str]:
    return [reason["code"] for reason in told["reasons"]]


async def _leave(database: Database, wish: State, **changes: Any) -> None:
    [claimed] = await claim_jobs(database)
    departure = Departure(id=claimed.id, fence=claimed.fence, wish=wish, **changes)
    async with database.statement() as tx:
        assert await leave(tx, [departure]) == {claimed.id: wish}


async def test_a_waiting_job_is_told_its_place_and_what_is_missing(
    admin: Cli, database: Database
) -> None:
    first, second = await a_tenant(database), await a_tenant(database)
    await a_job(database, first)
    await a_job(database, second)
    last = await a_job(database, first, tokens=7)
    told = await _explain(admin, last)
    assert told["state"] == "queued"
    assert told["place"] == {"ahead": 2, "of_tenant": 1, "other_tenants": 1}
    assert _codes(told) == ["no_worker", "in_line"]
    assert [each["what"] for each in told["history"]] == ["accepted"]
    assert told["history"][0]["tokens"] == 7

    await claim_jobs(database, count=2)
    async with database.statement() as tx:
        await report_worker(tx, "w", slots=2)
    told = await _explain(admin, last)
    assert (told["place"]["ahead"], _codes(told)) == (0, ["busy", "next"])


async def test_a_pause_is_named_with_who_made_it_and_stays_in_the_history(
    admin: Cli, database: Database
) -> None:
    job_id = await a_job(database, await a_tenant(database, name="acme"))
    admin.environment["PRECIS_ACTOR"] = "ada"
    await admin.run("admin", "pause", "tenant", "acme")
    await admin.run("admin", "pause", "pool", "batch")
    told = await _explain(admin, job_id)
    assert _codes(told)[:2] == ["pool_paused", "tenant_paused"]
    assert "by ada" in told["reasons"][1]["told"]
    assert "precis admin resume tenant acme" in told["reasons"][1]["told"]

    await admin.run("admin", "resume", "pool", "batch")
    told = await _explain(admin, job_id)
    assert "pool_paused" not in _codes(told)
    acts = [(each["what"], each.get("subject")) for each in told["history"][1:]]
    assert acts == [
        ("pause", "tenant acme"),
        ("pause", "pool batch"),
        ("resume", "pool batch"),
    ]


async def test_a_job_between_attempts_tells_when_and_why(
    admin: Cli, database: Database
) -> None:
    job_id = await a_job(database, await a_tenant(database))
    pause = timedelta(minutes=4)
    await _leave(
        database, State.RETRY_WAIT, retry_after=pause, error_code="attempt_stuck"
    )
    told = await _explain(admin, job_id)
    assert (told["attempt"], told["last_error"]) == (1, "attempt_stuck")
    assert (told["place"], _codes(told)) == (None, ["retry_wait"])

    await admin.run("admin", "requeue", "--error", "attempt_stuck")
    told = await _explain(admin, job_id)
    assert told["history"][-1]["what"] == "requeue"
    assert "next" in _codes(told)


async def test_a_running_job_tells_its_lease_and_its_worker(
    admin: Cli, database: Database
) -> None:
    job_id = await a_job(database, await a_tenant(database))
    await claim_jobs(database, worker_id="worker-7")
    told = await _explain(admin, job_id)
    assert (told["worker"], _codes(told)) == ("worker-7", ["running"])

    other = await a_job(database, await a_tenant(database))
    await claim_jobs(database, lease=timedelta(milliseconds=1))
    assert _codes(await _explain(admin, other)) == ["lease_lapsed"]


async def _finished(database: Database, tenant: TenantForTests) -> UUID:
    job_id = await a_job(
        database,
        tenant,
        text=WORDS,
        metadata={"customer": "quagga"},
        delivery={
            "webhook_url": HOOK,
            "webhook_lane": "host:hooks.private.example",
            "email": [MAILBOX],
        },
    )
    worker = WorkerHand(database)
    await worker.take(job_id)
    await worker.succeed(job_id)
    return job_id


async def test_the_history_runs_in_the_order_of_time_to_the_deliveries(
    admin: Cli, database: Database
) -> None:
    job_id = await _finished(database, await a_tenant(database))
    told = await _explain(admin, job_id)
    what = [each["what"] for each in told["history"]]
    assert [each for each in dict.fromkeys(what) if each != "chunks_stored"] == [
        "accepted",
        "first_claimed",
        "summary_stored",
        "ended",
        "event_written",
        "delivery_written",
    ]
    assert what.count("delivery_written") == 2
    times = [each["at"] for each in told["history"]]
    assert times == sorted(times)
    assert sum(e["count"] for e in told["history"] if e["what"] == "chunks_stored") == 2


@pytest.mark.parametrize("form", [(), ("--json",)])
async def test_no_text_and_no_address_is_shown(
    admin: Cli, database: Database, form: tuple[str, ...]
) -> None:
    job_id = await _finished(database, await a_tenant(database))
    done = await admin.run("explain", show_id(SUMMARY, job_id), *form)
    assert (done.status, "ended" in done.out) == (0, True)
    for secret in ("quagga", SUMMARY_TEXT, MAILBOX, "private.example", HOOK):
        assert secret not in done.out + done.err


async def test_an_erased_job_is_still_explained(admin: Cli, database: Database) -> None:
    tenant = await a_tenant(database)
    job_id = await _finished(database, tenant)
    async with database.transaction() as tx:
        await erase(tx, job_id, tenant_id=tenant.id)
    told = await _explain(admin, job_id)
    assert "erased" in told["reasons"][0]["told"]
    assert {"erasure_requested", "erased"} <= {e["what"] for e in told["history"]}


async def test_what_is_no_job_is_told_so(admin: Cli) -> None:
    assert (await admin.run("explain", "nonsense")).status == 2
    missing = await admin.run("explain", f"sum_{'0' * 32}")
    assert (missing.status, "no job" in missing.err) == (6, True)
