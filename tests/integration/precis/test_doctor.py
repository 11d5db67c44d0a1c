"""`precis doctor` on real parts: all well, and each thing broken by itself."""

import base64
import json
from uuid import uuid4

import pytest
from sqlalchemy import text

from jobs.store.canary_store import keep_canary
from plumbing.database import Database
from plumbing.kafka_topics import ensure_topics
from plumbing.sealing import MasterKey
from plumbing.settings import KafkaSettings
from tests.builders import a_tenant
from tests.fixtures.database import LOGIN_PASSWORD, MASTER_KEY, PEPPER, login_url
from tests.fixtures.processes import free_port
from tests.fixtures.servers import SmtpSink
from tests.integration.precis.conftest import Cli

OTHER_KEY = base64.b64encode(b"another-master-key-of-32-bytes--").decode()
NOBODY = "127.0.0.1:1"


@pytest.fixture
async def doctor(
    admin: Cli,
    database: Database,
    master_key: MasterKey,
    kafka_bootstrap: str,
    valkey_url: str,
    smtp_sink: SmtpSink,
    embedded_engine_url: str,
) -> Cli:
    """An operator's environment in which everything is as it should be."""
    name = uuid4().hex[:8]
    kafka = KafkaSettings(
        kafka_bootstrap=kafka_bootstrap,
        kafka_topic=f"jobs-{name}",
        kafka_dead_letter_topic=f"dead-{name}",
    )
    await ensure_topics(
        kafka, [kafka.kafka_topic, kafka.kafka_dead_letter_topic], partitions=3
    )
    async with database.transaction() as tx:
        await keep_canary(tx, master_key)
    admin.environment |= {
        "PRECIS_KAFKA_BOOTSTRAP": kafka_bootstrap,
        "PRECIS_KAFKA_TOPIC": kafka.kafka_topic,
        "PRECIS_KAFKA_DEAD_LETTER_TOPIC": kafka.kafka_dead_letter_topic,
        "PRECIS_REDIS_URL": valkey_url,
        "PRECIS_SMTP_HOST": smtp_sink.host,
        "PRECIS_SMTP_PORT": str(smtp_sink.port),
        "PRECIS_REALTIME_ENGINE_URLS": embedded_engine_url,
        "PRECIS_BATCH_ENGINE_URLS": embedded_engine_url,
    }
    return admin


async def _check(doctor: Cli) -> tuple[int, dict[str, list[str]]]:
    """The status, and what is not well, by its check."""
    done = await doctor.run("doctor", "--json")
    findings = [json.loads(line) for line in done.out.splitlines()]
    assert findings, done.err
    trouble: dict[str, list[str]] = {}
    for found in findings:
        assert (found["verdict"] == "ok") == (found["remedy"] == "")
        if found["verdict"] != "ok":
            told = f"{found['verdict']}: {found['told']} {found['remedy']}"
            trouble.setdefault(found["check"], []).append(told)
    return done.status, trouble


async def test_all_is_well_and_no_secret_is_shown(doctor: Cli, valkey_url: str) -> None:
    done = await doctor.run("doctor")
    assert done.status == 0, done.out
    for check in (
        "python",
        "settings",
        "postgres",
        "clock",
        "tables",
        "rights",
        "master key",
        "kafka",
        "valkey",
        "mail",
        "realtime engines",
        "batch engines",
    ):
        assert f"ok    {check}" in done.out
    assert "3 partitions" in done.out
    assert "model precis-extractive, context 8192 tokens" in done.out
    # Nobody has started a worker here, which is no failure.
    assert "warn  workers" in done.out
    password = valkey_url.partition("@")[0].rpartition(":")[2]
    for secret in (LOGIN_PASSWORD, MASTER_KEY, PEPPER, password):
        assert secret not in done.out + done.err


@pytest.mark.parametrize(
    ("wrong", "check", "told"),
    [
        ({"PRECIS_KAFKA_BOOTSTRAP": NOBODY}, "kafka", "PRECIS_KAFKA_BOOTSTRAP"),
        ({"PRECIS_KAFKA_TOPIC": "no-such-topic"}, "kafka", "no topic no-such-topic"),
        ({"PRECIS_REDIS_URL": f"redis://{NOBODY}/0"}, "valkey", "PRECIS_REDIS_URL"),
        ({"PRECIS_REDIS_URL": "nonsense"}, "valkey", "redis://"),
        ({"PRECIS_SMTP_PORT": "1"}, "mail", "PRECIS_SMTP_HOST"),
        (
            {"PRECIS_BATCH_ENGINE_URLS": f"http://{NOBODY}"},
            "batch engines",
            "PRECIS_BATCH_ENGINE_URLS",
        ),
        ({"PRECIS_ENGINE_MODEL": "other"}, "realtime engines", "PRECIS_ENGINE_MODEL"),
        ({"PRECIS_MASTER_KEY": OTHER_KEY}, "master key", "PRECIS_MASTER_KEY"),
        ({"PRECIS_MASTER_KEY": "abc"}, "master key", "not base64"),
        ({"PRECIS_KEY_PEPPER": ""}, "settings", "PRECIS_KEY_PEPPER"),
        ({"PRECIS_WORKER_SLOTS": "none"}, "settings", "worker: PRECIS_WORKER_SLOTS"),
    ],
)
async def test_one_thing_that_is_wrong_fails_its_own_check(
    doctor: Cli, wrong: dict[str, str], check: str, told: str
) -> None:
    doctor.environment |= wrong
    status, trouble = await _check(doctor)
    others = {"workers", check}
    if check == "realtime engines":
        others.add("batch engines")  # the same model is asked of both
    assert (status, set(trouble)) == (9, others)
    assert any(line.startswith("fail") and told in line for line in trouble[check])


async def test_a_database_that_is_away_leaves_the_others_looked_at(doctor: Cli) -> None:
    secret = "do-not-show-me"
    url = f"postgresql://precis:{secret}@127.0.0.1:{free_port()}/precis"
    doctor.environment["PRECIS_DATABASE_URL"] = url
    status, trouble = await _check(doctor)
    assert (status, set(trouble)) == (9, {"postgres"})
    assert secret not in str(trouble)


@pytest.mark.parametrize(
    ("change", "check", "told"),
    [
        ("UPDATE alembic_version SET version_num = '0001'", "tables", "precis migrate"),
        ("UPDATE alembic_version SET version_num = 'x'", "tables", "newer version"),
        ("DROP TABLE alembic_version", "tables", "there are none"),
        ("REVOKE DELETE ON chunk FROM precis_caller", "rights", "DELETE on chunk"),
        ("REVOKE ALL ON fair_clock FROM precis_worker", "rights", "fair_clock"),
        ("ALTER TABLE job NO FORCE ROW LEVEL SECURITY", "rights", "security of job"),
    ],
)
async def test_tables_and_rights_of_another_version_are_found(
    doctor: Cli, database: Database, change: str, check: str, told: str
) -> None:
    async with database.statement() as tx:
        await tx.execute(text(change))
    status, trouble = await _check(doctor)
    assert status == 9
    assert told in trouble[check][0]


async def test_a_process_login_is_told_from_an_operators(
    doctor: Cli, database_url: str
) -> None:
    doctor.environment["PRECIS_DATABASE_URL"] = login_url(database_url, "gateway")
    status, trouble = await _check(doctor)
    assert (status, "operator's login" in trouble["tables"][0]) == (9, True)


async def test_what_works_but_should_be_known_is_a_warning(
    doctor: Cli, database: Database, database_url: str
) -> None:
    await a_tenant(database, name="acme")
    await doctor.run("admin", "pause", "tenant", "acme")
    doctor.environment |= {
        "PRECIS_DATABASE_URL": database_url,
        "PRECIS_RETAIN_TEXTS": "PT1H",
        "PRECIS_REALTIME_ENGINE_URLS": "",
    }
    status, trouble = await _check(doctor)
    assert status == 0
    assert "PRECIS_RETAIN_TEXTS" in trouble["settings"][0]
    assert "precis admin resume tenant acme" in trouble["pauses"][0]
    assert "may do anything" in trouble["login"][0]
    assert "batch" in trouble["realtime engines"][0]
