"""Erasing with the client and the command line, and a backup that is restored after it."""

import asyncio
import json
import subprocess
from collections.abc import Iterator
from pathlib import Path
from uuid import UUID, uuid4

import psycopg
import pytest
from psycopg import sql
from sqlalchemy.engine import make_url

from deploy.local.postgres_cluster import binary
from plumbing.database import Database
from precis import AsyncClient, Client, Erasure, Gone, NotFound
from tests.builders import TenantForTests, a_job, a_tenant, rows
from tests.fixtures.database import login_url
from tests.integration.jobs.contents import NOTHING, a_finished_job, erased, held
from tests.integration.precis.conftest import Cli

TEXT = "The council voted for electric buses. They will be delivered next spring."


async def test_the_client_erases_and_reads_the_receipt(
    service_url: str, tenant: TenantForTests
) -> None:
    async with AsyncClient(service_url, tenant.api_key) as client:
        summary = await client.summarize(TEXT)
        receipt = await client.delete(summary.id)
        assert receipt.summary_id == summary.id
        assert {each.store for each in receipt.stores} >= {"postgres", "kafka"}
        assert await client.delete(summary.id) == receipt
        assert await client.erasure(receipt.id) == receipt
        with pytest.raises(Gone):
            await client.get(summary.id)
        with pytest.raises(NotFound):
            await client.erasure("era_" + "0" * 32)


async def test_the_blocking_client_does_the_same(
    service_url: str, tenant: TenantForTests
) -> None:
    def use() -> tuple[Erasure, Erasure]:
        with Client(service_url, tenant.api_key) as client:
            receipt = client.delete(client.summarize(TEXT).id)
            return receipt, client.erasure(receipt.id)

    receipt, again = await asyncio.to_thread(use)
    assert receipt == again


async def test_the_command_erases(
    cli: Cli, service_url: str, tenant: TenantForTests
) -> None:
    async with AsyncClient(service_url, tenant.api_key) as client:
        summary = await client.summarize(TEXT)
    outcome = await cli.run("delete", summary.id)
    assert outcome.status == 0, outcome.err
    assert outcome.out.startswith(f"{summary.id} was erased; the receipt is era_")
    told = json.loads((await cli.run("delete", summary.id, "--json")).out)
    assert told["id"] in outcome.out
    assert (await cli.run("status", summary.id)).status == 6
    assert (await cli.run("delete", "sum_1")).status == 6


async def test_the_ledger_holds_ids_and_times_and_may_be_exported_in_part(
    admin: Cli, database: Database
) -> None:
    tenant = await a_tenant(database)
    erasures = [
        await erased(database, await a_finished_job(database, tenant), tenant)
        for _ in range(2)
    ]
    whole = await admin.run("erasures", "export", "-")
    assert whole.status == 0, whole.err
    lines = [json.loads(line) for line in whole.out.splitlines()]
    assert lines == [
        {
            "id": f"era_{each.id.hex}",
            "summary_id": f"sum_{each.job_id.hex}",
            "tenant_id": f"ten_{each.tenant_id.hex}",
            "requested_at": each.requested_at.isoformat(),
            "erased_at": each.erased_at.isoformat(),
        }
        for each in erasures
    ]
    since = erasures[1].requested_at.isoformat()
    part = await admin.run("erasures", "export", "--since", since, "later.jsonl")
    assert part.status == 0, part.err
    written = (admin.folder / "later.jsonl").read_text()
    assert [json.loads(written)] == lines[1:]
    assert [each.name for each in admin.folder.iterdir()] == ["later.jsonl"]


async def test_a_line_that_is_none_is_named_and_what_cannot_be_read_is_told(
    admin: Cli,
) -> None:
    for line in ("{}", "[]", "\x00", '{"id": "era_1"}', "null"):
        outcome = await admin.run("erasures", "replay", "-", typed=line + "\n")
        assert (outcome.status, outcome.out) == (2, "")
        assert "Line 1 is no erasure" in outcome.err
    missing = await admin.run("erasures", "replay", "missing.jsonl")
    assert missing.status == 2
    assert "No such file" in missing.err


@pytest.fixture
def restored_url(postgres_url: str) -> Iterator[str]:
    """An empty database for a backup to be restored into."""
    name = f"restored_{uuid4().hex}"
    with psycopg.connect(postgres_url, autocommit=True) as connection:
        connection.execute(sql.SQL("CREATE DATABASE {}").format(sql.Identifier(name)))
    url = make_url(postgres_url).set(database=name)
    yield url.render_as_string(hide_password=False)
    with psycopg.connect(postgres_url, autocommit=True) as connection:
        connection.execute(
            sql.SQL("DROP DATABASE {} WITH (FORCE)").format(sql.Identifier(name))
        )


async def test_a_restored_backup_is_told_what_has_to_be_gone(
    admin: Cli, database: Database, database_url: str, restored_url: str, tmp_path: Path
) -> None:
    tenant = await a_tenant(database)
    before = await erased(database, await a_finished_job(database, tenant), tenant)
    kept = await a_finished_job(database, tenant)
    finished = await a_finished_job(database, tenant)
    waiting = await a_job(database, tenant)
    backup = tmp_path / "backup"
    await asyncio.to_thread(_run, "pg_dump", "-Fc", "-f", str(backup), database_url)
    later = await a_job(database, tenant)
    receipts = [
        await erased(database, job_id, tenant) for job_id in (finished, waiting, later)
    ]
    exported = await admin.run("erasures", "export", "ledger.jsonl")
    assert exported.status == 0, exported.err
    await asyncio.to_thread(_run, "pg_restore", "-d", restored_url, str(backup))

    restored = Database(restored_url, pool_size=2)
    operator = Cli(
        admin.folder, {"PRECIS_DATABASE_URL": login_url(restored_url, "operator")}
    )
    try:
        assert await held(restored, finished) == await held(database, kept)
        replayed = await operator.run("erasures", "replay", "ledger.jsonl")
        assert replayed.status == 0, replayed.err
        assert replayed.out == "erased 2, gone already 1, unknown 1\n"
        assert f"sum_{later.hex} is not in this database" in replayed.err
        for job_id in (finished, waiting):
            assert await held(restored, job_id) == NOTHING
            assert await _erased_at(restored, job_id) is not None
        assert await held(restored, kept) == await held(database, kept)
        ledger = "SELECT id, erased_at FROM erasure ORDER BY id"
        expected = sorted((each.id, each.erased_at) for each in [before, *receipts])
        assert await rows(restored, ledger) == expected

        again = await operator.run("erasures", "replay", "ledger.jsonl")
        assert again.out == "erased 0, gone already 3, unknown 1\n"
    finally:
        await restored.close()


def _run(program: str, *arguments: str) -> None:
    subprocess.run([str(binary(program)), *arguments], check=True)


async def _erased_at(database: Database, job_id: UUID) -> object:
    [row] = await rows(database, "SELECT erased_at FROM job WHERE id = :id", id=job_id)
    return row.erased_at
