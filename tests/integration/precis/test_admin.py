"""The commands of an operator, on a real Postgres."""

import asyncio
import json
import re

import pytest

from jobs.api_keys import parse_api_key
from plumbing.database import Database
from tests.builders import rows
from tests.integration.precis.conftest import Cli


async def _new_key(admin: Cli) -> str:
    outcome = await admin.run("admin", "key", "create", "acme", "--name", "ci")
    assert outcome.status == 0, outcome.err
    return outcome.out.strip()


@pytest.fixture
async def acme(admin: Cli) -> str:
    outcome = await admin.run(
        "admin", "tenant", "create", "acme", "--owner", "ops@acme.example"
    )
    assert re.fullmatch(r"ten_[0-9a-f]{32}\n", outcome.out)
    return "acme"


async def test_bootstrap_makes_one_tenant_and_at_most_two_keys(
    admin: Cli, database: Database
) -> None:
    made = await asyncio.gather(
        *(admin.run("admin", "bootstrap", "--json") for _ in range(2))
    )
    assert [outcome.status for outcome in made] == [0, 0]
    shown = [json.loads(outcome.out) for outcome in made]
    assert shown[0].keys() == {"tenant_id", "api_key", "webhook_secret"}
    assert shown[0]["tenant_id"] == shown[1]["tenant_id"]
    assert shown[0]["webhook_secret"] == shown[1]["webhook_secret"]
    assert all(parse_api_key(each["api_key"]) for each in shown)

    third = await admin.run("admin", "bootstrap", "--json")
    assert (third.status, third.out) == (9, "")
    assert "precis admin key revoke" in third.err
    assert await rows(database, "SELECT name, owner_email FROM tenant") == [
        ("local", "owner@example.com")
    ]
    assert await rows(database, "SELECT count(*) FROM api_key") == [(2,)]


async def test_a_tenant_is_made_once(admin: Cli, acme: str) -> None:
    again = await admin.run("admin", "tenant", "create", acme, "--owner", "a@b.example")
    assert (again.status, "already" in again.err) == (9, True)
    listed = await admin.run("admin", "tenant", "list")
    assert listed.out.rstrip().endswith("1  ops@acme.example  acme")


@pytest.mark.parametrize(("name", "owner"), [("x", "no address"), (" ", "a@b.example")])
async def test_a_tenant_needs_a_name_and_an_owner(
    admin: Cli, name: str, owner: str
) -> None:
    outcome = await admin.run("admin", "tenant", "create", name, "--owner", owner)
    assert outcome.status == 2


async def test_a_secret_is_shown_and_replaced(admin: Cli, acme: str) -> None:
    first = await admin.run("admin", "tenant", "secret", acme)
    rotated = await admin.run("admin", "tenant", "rotate-secret", acme)
    second = await admin.run("admin", "tenant", "secret", acme)
    assert first.out.startswith("whsec_")
    assert rotated.out == second.out != first.out
    assert "24 hours" in rotated.err


async def test_keys_are_made_listed_and_revoked(
    admin: Cli, acme: str, database: Database
) -> None:
    first, second = await _new_key(admin), await _new_key(admin)
    refused = await admin.run("admin", "key", "create", acme)
    assert (refused.status, "two live keys" in refused.err) == (9, True)

    by_key = await admin.run("admin", "key", "revoke", first)
    parsed = parse_api_key(second)
    assert parsed is not None
    by_id = await admin.run("admin", "key", "revoke", parsed.id)
    assert (by_key.status, by_id.status) == (0, 0)
    assert (await admin.run("admin", "key", "revoke", parsed.id)).status == 6

    listed = (await admin.run("admin", "key", "list", acme)).out
    assert len(listed.splitlines()) == 2
    assert parsed.secret not in listed
    stored = await rows(
        database,
        "SELECT secret_hmac FROM api_key WHERE revoked_at > now() - interval '1 hour'",
    )
    assert len(stored) == 2


async def test_a_key_can_be_made_to_end(
    admin: Cli, acme: str, database: Database
) -> None:
    await admin.run("admin", "key", "create", acme, "--expires-in-days", "30")
    assert await rows(
        database,
        "SELECT round(extract(epoch FROM expires_at - created_at) / 86400) FROM api_key",
    ) == [(30,)]


async def test_an_unknown_tenant_is_told_with_the_way_to_make_it(admin: Cli) -> None:
    outcome = await admin.run("admin", "key", "create", "nobody")
    assert outcome.status == 6
    assert "precis admin tenant create nobody" in outcome.err


async def test_another_master_key_is_recognized(admin: Cli, acme: str) -> None:
    admin.environment["PRECIS_MASTER_KEY"] = "A" * 43 + "="
    outcome = await admin.run("admin", "tenant", "secret", acme)
    assert (outcome.status, "PRECIS_MASTER_KEY" in outcome.err) == (9, True)
    assert "Traceback" not in outcome.err


@pytest.mark.parametrize(
    ("name", "value", "status"),
    [
        ("PRECIS_MASTER_KEY", "too short", 2),
        ("PRECIS_KEY_PEPPER", "", 2),
        ("PRECIS_DATABASE_URL", "postgresql://u:sesame@127.0.0.1:1/x", 3),
        ("PRECIS_DATABASE_URL", "postgresql://u:sesame@127.0.0.1:port/x", 2),
        ("PRECIS_DATABASE_URL", "mysql://u:sesame@127.0.0.1/x", 2),
    ],
)
async def test_settings_that_do_not_work_are_named_and_not_shown(
    admin: Cli, name: str, value: str, status: int
) -> None:
    admin.environment[name] = value
    outcome = await admin.run("admin", "tenant", "list")
    assert (outcome.status, name in outcome.err) == (status, True)
    assert "sesame" not in outcome.err
    assert "Traceback" not in outcome.err


async def test_migrations_may_be_started_twice_at_once(
    admin: Cli, database_url: str, database: Database
) -> None:
    admin.environment["PRECIS_DATABASE_URL"] = database_url  # its owner's
    async with database.statement() as tx:
        await tx.exec_driver_sql("DROP SCHEMA public CASCADE")
        await tx.exec_driver_sql("CREATE SCHEMA public")
    done = await asyncio.gather(*(admin.run("migrate") for _ in range(2)))
    assert [outcome.status for outcome in done] == [0, 0], done
    assert await rows(database, "SELECT count(*) FROM tenant") == [(0,)]
    assert await rows(database, "SELECT count(*) FROM alembic_version") == [(1,)]


@pytest.mark.parametrize(
    ("url", "status"), [("sesame", 2), ("postgresql://u:sesame@127.0.0.1:1/x", 3)]
)
async def test_a_database_that_is_not_there_is_not_migrated(
    admin: Cli, url: str, status: int
) -> None:
    admin.environment["PRECIS_DATABASE_URL"] = url
    outcome = await admin.run("migrate")
    assert (outcome.status, "PRECIS_DATABASE_URL" in outcome.err) == (status, True)
    assert "sesame" not in outcome.err
    assert "Traceback" not in outcome.err
