"""An operator's hand on jobs: pauses, bulk endings, and the audit of all of it."""

import asyncio
import json
from datetime import timedelta

import pytest
from sqlalchemy import text
from sqlalchemy.exc import IntegrityError

from jobs.ids import SUMMARY, show_id
from jobs.lifecycle import State
from jobs.operations.leave import Departure, leave
from plumbing.database import Database
from tests.builders import TenantForTests, a_job, a_tenant, claim_jobs, rows
from tests.integration.precis.conftest import Cli
from workers.dispatcher.pause_loop import PauseLoop


async def _wait_for_retry(
    database: Database, tenant: TenantForTests, error: str
) -> str:
    """A job whose attempt failed, and that waits for the next one."""
    job_id = await a_job(database, tenant)
    [claimed] = await claim_jobs(database)
    departure = Departure(
        id=claimed.id,
        fence=claimed.fence,
        wish=State.RETRY_WAIT,
        retry_after=timedelta(minutes=5),
        error_code=error,
    )
    async with database.statement() as tx:
        assert await leave(tx, [departure]) == {job_id: State.RETRY_WAIT}
    return show_id(SUMMARY, job_id)


async def test_a_tenant_is_paused_and_resumed_by_name(
    admin: Cli, database: Database
) -> None:
    tenant = await a_tenant(database, name="acme")
    job_id = await a_job(database, tenant)
    done = await admin.run("admin", "pause", "tenant", "acme")
    assert (done.status, done.out) == (0, "tenant acme is paused\n")
    assert await claim_jobs(database) == []
    again = await admin.run("admin", "pause", "tenant", "acme")
    assert (again.status, "already" in again.err) == (0, True)

    await PauseLoop(database).run_once(asyncio.Event())
    listed = await admin.run("admin", "paused", "--json")
    shown = json.loads(listed.out)
    assert (shown["scope"], shown["name"]) == ("tenant", "acme")
    assert shown["jobs_aside"] == 1

    assert (await admin.run("admin", "resume", "tenant", "acme")).status == 0
    await PauseLoop(database).run_once(asyncio.Event())
    assert [c.id for c in await claim_jobs(database)] == [job_id]


@pytest.mark.parametrize("scope", ["tier", "pool"])
async def test_a_tier_is_paused_and_resumed(
    admin: Cli, database: Database, scope: str
) -> None:
    await a_job(database, await a_tenant(database))
    await admin.run("admin", "pause", scope, "batch")
    assert await claim_jobs(database) == []
    assert scope in (await admin.run("admin", "paused")).out
    await admin.run("admin", "resume", scope, "batch")
    assert len(await claim_jobs(database)) == 1
    nothing = await admin.run("admin", "paused")
    assert (nothing.out, "Nothing is paused" in nothing.err) == ("", True)


async def test_what_is_not_there_is_not_paused(admin: Cli) -> None:
    assert (await admin.run("admin", "pause", "tenant", "nobody")).status == 6
    assert (await admin.run("admin", "pause", "tier", "express")).status == 2


async def test_jobs_that_wait_because_of_an_error_are_requeued(
    admin: Cli, database: Database
) -> None:
    tenant = await a_tenant(database, name="acme")
    for error in ("engine_unavailable", "engine_unavailable", "attempt_stuck"):
        await _wait_for_retry(database, tenant, error)
    wish = ("admin", "requeue", "--error", "engine_unavailable", "--tenant", "acme")
    dry = await admin.run(*wish, "--since", "1h", "--dry-run", "--json")
    assert json.loads(dry.out) == {"jobs": 2, "dry_run": True}
    assert len(await claim_jobs(database, count=10)) == 0

    done = await admin.run(*wish)
    assert (done.status, done.out) == (0, "2 jobs queued\n")
    assert len(await claim_jobs(database, count=10)) == 2
    nothing = await admin.run(*wish)
    assert "stays failed" in nothing.err


async def test_a_job_that_failed_is_not_run_again(
    admin: Cli, database: Database
) -> None:
    await a_job(database, await a_tenant(database))
    await admin.run("admin", "fail", "--tenant", await _name(database))
    before = await rows(database, "SELECT * FROM job")
    done = await admin.run("admin", "requeue", "--error", "ended_by_operator")
    assert (done.status, done.out) == (0, "0 jobs queued\n")
    assert await rows(database, "SELECT * FROM job") == before


async def _name(database: Database) -> str:
    [(name,)] = await rows(database, "SELECT name FROM tenant")
    return str(name)


async def test_living_jobs_are_ended_each_with_its_event_and_deliveries(
    admin: Cli, database: Database
) -> None:
    tenant, other = await a_tenant(database, name="acme"), await a_tenant(database)
    told = {"webhook_url": "https://a.example/", "webhook_lane": "host:a.example"}
    await _wait_for_retry(database, tenant, "attempt_stuck")
    await a_job(database, tenant, delivery=told)
    await a_job(database, tenant)
    [held] = await claim_jobs(database)
    spared = await a_job(database, other)
    done = await admin.run("admin", "fail", "--tenant", "acme", "--json")
    assert json.loads(done.out) == {"jobs": 3, "dry_run": False}

    ended = await rows(
        database,
        "SELECT j.state, j.error_code, e.type FROM job j JOIN event e ON e.job_id = j.id",
    )
    assert ended == [("failed", "ended_by_operator", "summary.failed")] * 3
    assert await rows(database, "SELECT receiver FROM delivery") == [
        (told["webhook_url"],)
    ]
    [(state,)] = await rows(database, "SELECT state FROM job WHERE id = :i", i=spared)
    assert state == "queued"
    late = Departure(id=held.id, fence=held.fence, wish=State.QUEUED)
    async with database.statement() as tx:
        assert await leave(tx, [late]) == {}


async def test_a_running_job_that_was_cancelled_ends_as_cancelled(
    admin: Cli, database: Database
) -> None:
    job_id = await a_job(database, await a_tenant(database))
    await claim_jobs(database)
    async with database.statement() as tx:
        await tx.execute(text("UPDATE job SET cancel_requested = true"))
    await admin.run("admin", "fail", "--job", show_id(SUMMARY, job_id))
    assert await rows(database, "SELECT state, error_code FROM job") == [
        ("cancelled", None)
    ]


@pytest.mark.parametrize(
    "wish", [(), ("--job", "nonsense"), ("--tenant", "x", "--code", "no_such_code")]
)
async def test_what_to_fail_has_to_be_named(admin: Cli, wish: tuple[str, ...]) -> None:
    assert (await admin.run("admin", "fail", *wish)).status == 2


async def test_everything_done_by_hand_is_in_the_audit(
    admin: Cli, database: Database
) -> None:
    admin.environment["PRECIS_ACTOR"] = "ada"
    await admin.run("admin", "tenant", "create", "acme", "--owner", "o@a.example")
    key = (await admin.run("admin", "key", "create", "acme")).out.strip()
    secret = (await admin.run("admin", "tenant", "rotate-secret", "acme")).out.strip()
    await admin.run("admin", "pause", "tenant", "acme")
    await admin.run("admin", "resume", "tenant", "acme")
    await admin.run("admin", "key", "revoke", key)

    shown = await admin.run("admin", "audit", "--since", "1h", "--json")
    acts = [json.loads(line) for line in shown.out.splitlines()]
    assert [act["action"] for act in acts] == [
        "tenant.create",
        "key.create",
        "tenant.rotate-secret",
        "pause",
        "resume",
        "key.revoke",
    ]
    assert {act["actor"] for act in acts} == {"ada"}
    assert key not in shown.out
    assert secret not in shown.out
    plain = await admin.run("admin", "audit")
    assert "pause  tenant acme" in plain.out
    assert (await admin.run("admin", "audit", "--since", "0s")).out == ""
    assert (await admin.run("admin", "audit", "--since", "soon")).status == 2


@pytest.mark.parametrize(
    "rewriting",
    ["UPDATE audit SET actor = 'eve'", "DELETE FROM audit", "TRUNCATE audit"],
)
async def test_the_audit_is_append_only(
    admin: Cli, database: Database, rewriting: str
) -> None:
    await admin.run("admin", "pause", "tier", "batch")
    with pytest.raises(IntegrityError, match="append-only"):
        async with database.statement() as tx:
            await tx.execute(text(rewriting))


async def test_an_act_that_failed_leaves_no_line(
    admin: Cli, database: Database
) -> None:
    await admin.run("admin", "tenant", "create", "acme", "--owner", "o@a.example")
    again = await admin.run(
        "admin", "tenant", "create", "acme", "--owner", "o@a.example"
    )
    assert again.status == 9
    assert await rows(database, "SELECT count(*) FROM audit") == [(1,)]


async def test_a_wrong_master_key_seals_nothing(admin: Cli, database: Database) -> None:
    await admin.run("admin", "tenant", "create", "acme", "--owner", "o@a.example")
    admin.environment["PRECIS_MASTER_KEY"] = "A" * 43 + "="
    refused = await admin.run(
        "admin", "tenant", "create", "b", "--owner", "o@a.example"
    )
    assert (refused.status, "PRECIS_MASTER_KEY" in refused.err) == (9, True)
    assert await rows(database, "SELECT name FROM tenant") == [("acme",)]
