"""`precis dead-letters`: what was given up in Kafka and in the database, and replays."""

import json
from typing import Any
from uuid import UUID, uuid4

import pytest
from sqlalchemy import text

from jobs.ids import DELIVERY, SUMMARY, show_id
from jobs.messages.hint import encode_hint
from plumbing.database import Database
from plumbing.kafka_client import HintProducer
from plumbing.kafka_reading import read_latest
from plumbing.kafka_records import Record
from plumbing.kafka_topics import ensure_topics
from plumbing.settings import KafkaSettings
from tests.builders import a_job, a_tenant, claim_jobs, rows
from tests.integration.precis.conftest import Cli
from tests.integration.precis.worker_hand import WorkerHand

HOOK = "https://hooks.private.example/secret-path"


@pytest.fixture
async def kafka(admin: Cli, kafka_bootstrap: str) -> KafkaSettings:
    """Topics of this test alone, and the command line told of them."""
    name = uuid4().hex[:8]
    told = {
        "kafka_bootstrap": kafka_bootstrap,
        "kafka_topic": f"jobs-{name}",
        "kafka_dead_letter_topic": f"dead-{name}",
    }
    admin.environment |= {f"PRECIS_{key.upper()}": told[key] for key in told}
    made = KafkaSettings(**told)  # type: ignore[arg-type]
    await ensure_topics(
        made, [made.kafka_topic, made.kafka_dead_letter_topic], partitions=2
    )
    return made


async def _bury(kafka: KafkaSettings, value: bytes, *, error: str) -> None:
    """As a dispatcher does it, key included: all land in one partition."""
    headers = (
        ("size", str(len(value)).encode()),
        ("origin", b"jobs/4/711"),
        ("error", error.encode()),
    )
    producer = HintProducer(kafka)
    record = Record(b"k", value, headers)
    await producer.send_many(kafka.kafka_dead_letter_topic, [record])
    await producer.close()


async def _list(admin: Cli, *options: str) -> list[dict[str, Any]]:
    done = await admin.run("dead-letters", "list", "--json", *options)
    assert done.status == 0, done.err
    return [json.loads(line) for line in done.out.splitlines()]


async def _hints(kafka: KafkaSettings) -> list[bytes | None]:
    found = await read_latest(kafka, kafka.kafka_topic, limit=100)
    return [each.record.value for each in found]


_TO_THE_LAST_TRY = (
    """UPDATE delivery SET state = 'sending', fence = fence + 1,
           lease_until = statement_timestamp()""",
    """UPDATE delivery SET state = 'exhausted', fence = fence + 1, attempt = 10,
           lease_until = NULL, last_code = 503, last_error = :error,
           finished_at = statement_timestamp()""",
    """INSERT INTO delivery_attempt
       SELECT id, 10, statement_timestamp(), statement_timestamp(), 503, :error
       FROM delivery""",
)


async def _given_up(database: Database, error: str = "timeout") -> tuple[str, UUID]:
    """A job that ended, and its webhook that failed to the last try."""
    told = {"webhook_url": HOOK, "webhook_lane": "host:hooks.private.example"}
    job_id = await a_job(database, await a_tenant(database, name="acme"), delivery=told)
    worker = WorkerHand(database)
    await worker.take(job_id)
    await worker.succeed(job_id)
    for step in _TO_THE_LAST_TRY:
        async with database.statement() as tx:
            await tx.execute(text(step), {"error": error} if ":error" in step else {})
    [(delivery_id,)] = await rows(database, "SELECT id FROM delivery")
    return show_id(DELIVERY, delivery_id), job_id


async def test_a_record_is_listed_with_its_place_its_origin_and_its_reason(
    admin: Cli, kafka: KafkaSettings
) -> None:
    none = await admin.run("dead-letters", "list")
    assert (none.status, none.out) == (0, "")
    assert "no dead letters" in none.err
    for number in range(3):
        await _bury(kafka, b"junk %d" % number, error="JSONDecodeError")
    letters = await _list(admin)
    assert [letter["id"].split("/")[1] for letter in letters] == ["0", "1", "2"]
    assert {letter["error"] for letter in letters} == {"JSONDecodeError"}
    assert {letter["origin"] for letter in letters} == {"jobs/4/711"}
    assert {letter["size"] for letter in letters} == {6}
    assert [x["id"] for x in await _list(admin, "--limit", "1")] == [letters[-1]["id"]]
    assert await _list(admin, "--kind", "delivery") == []


async def test_what_a_record_held_is_shown_on_demand_only(
    admin: Cli, kafka: KafkaSettings
) -> None:
    await _bury(kafka, b"\x1b[2J \xff quagga", error="UnicodeDecodeError")
    [letter] = await _list(admin)
    shown = await admin.run("dead-letters", "show", letter["id"])
    assert (shown.status, "UnicodeDecodeError" in shown.out) == (0, True)
    assert "quagga" not in shown.out
    whole = await admin.run("dead-letters", "show", letter["id"], "--value")
    assert r"\x1b[2J \\xff quagga" in whole.out
    missing = await admin.run("dead-letters", "show", "0/999999")
    assert (missing.status, "dead-letters list" in missing.err) == (6, True)


async def test_a_hint_that_can_be_read_now_is_sent_again(
    admin: Cli, database: Database, kafka: KafkaSettings
) -> None:
    """An older dispatcher buried a newer hint: both run while versions change."""
    job_id = await a_job(database, await a_tenant(database))
    await _bury(kafka, encode_hint(job_id), error="unknown version")
    [letter] = await _list(admin)
    done = await admin.run("dead-letters", "replay", letter["id"])
    assert (done.status, show_id(SUMMARY, job_id) in done.out) == (0, True), done.err
    assert await _hints(kafka) == [encode_hint(job_id)]
    [act] = await rows(database, "SELECT action, subject FROM audit")
    assert tuple(act) == ("dead-letters.replay", f"hint {letter['id']}")


async def test_a_replay_of_no_use_is_refused_with_the_reason(
    admin: Cli, database: Database, kafka: KafkaSettings
) -> None:
    running = await a_job(database, await a_tenant(database))
    await claim_jobs(database)
    await _bury(kafka, b"junk", error="JSONDecodeError")
    await _bury(kafka, encode_hint(uuid4()), error="unknown version")
    await _bury(kafka, encode_hint(running), error="unknown version")
    told = []
    for letter in await _list(admin):
        refused = await admin.run("dead-letters", "replay", letter["id"])
        assert (refused.status, refused.out) == (9, "")
        told.append(refused.err)
    assert "bury it again" in told[0]
    assert "does not have" in told[1]
    assert "running" in told[2]
    assert await _hints(kafka) == []
    assert await rows(database, "SELECT count(*) FROM audit") == [(0,)]


async def test_a_delivery_that_was_given_up_is_listed_shown_and_sent_again(
    admin: Cli, database: Database, kafka: KafkaSettings
) -> None:
    shown_id, job_id = await _given_up(database)
    [letter] = await _list(admin)
    assert letter["id"] == shown_id
    assert (letter["error"], letter["code"], letter["attempts"]) == ("timeout", 503, 10)
    assert (letter["job"], letter["tenant"]) == (show_id(SUMMARY, job_id), "acme")
    assert letter["replayed"] is False
    shown = await admin.run("dead-letters", "show", shown_id)
    assert "number=10" in shown.out
    assert "private.example" not in shown.out + json.dumps(letter)

    done = await admin.run("dead-letters", "replay", shown_id)
    assert done.status == 0, done.err
    new = await rows(
        database, "SELECT id, event_id FROM delivery WHERE replay_of IS NOT NULL"
    )
    events = await rows(database, "SELECT DISTINCT event_id FROM delivery")
    assert [(row.event_id,) for row in new] == [tuple(row) for row in events]
    assert show_id(DELIVERY, new[0].id) in done.out
    assert (await _list(admin))[0]["replayed"] is True
    assert await rows(database, "SELECT subject FROM audit") == [
        (f"delivery {shown_id}",)
    ]


async def test_a_delivery_that_was_not_given_up_is_no_dead_letter(
    admin: Cli, database: Database, kafka: KafkaSettings
) -> None:
    shown_id, _ = await _given_up(database)
    done = await admin.run("dead-letters", "replay", shown_id)
    new = "del_" + done.out.split("del_")[2].strip()
    for command in ("show", "replay"):
        refused = await admin.run("dead-letters", command, new)
        assert (refused.status, refused.out) == (6, "")
    assert (await admin.run("dead-letters", "replay", "nonsense")).status == 6


async def test_a_kafka_that_is_away_is_told_in_words(admin: Cli) -> None:
    admin.environment["PRECIS_KAFKA_BOOTSTRAP"] = "127.0.0.1:1"
    done = await admin.run("dead-letters", "list")
    assert (done.status, "PRECIS_KAFKA_BOOTSTRAP" in done.err) == (3, True)
    assert "Traceback" not in done.err


async def test_a_topic_that_is_not_there_is_told_and_not_made(
    admin: Cli, kafka: KafkaSettings
) -> None:
    admin.environment["PRECIS_KAFKA_DEAD_LETTER_TOPIC"] = "no-such-topic"
    for _ in range(2):
        done = await admin.run("dead-letters", "list")
        assert (done.status, "no topic no-such-topic" in done.err) == (9, True)
