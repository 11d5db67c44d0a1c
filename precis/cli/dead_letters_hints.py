"""Dead letters in Kafka: records that the dispatcher took for no hints of ours.

One is named by its place in the dead-letter topic, `PARTITION/OFFSET`. Sent again it
goes to the topic of hints as it was; that is refused where nothing could come of it.
"""

import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Final

from jobs.ids import SUMMARY, show_id
from jobs.lifecycle import WAITING
from jobs.messages.hint import HintMalformed, decode_hint
from jobs.store.audit_store import record_act
from jobs.store.job_store import find_states
from plumbing.kafka_client import HintProducer
from plumbing.kafka_reading import Seen, TopicMissing, find_record, read_latest
from plumbing.kafka_records import KafkaUnavailable, Record
from plumbing.settings import KafkaSettings
from precis.cli.dead_letters_found import DeadLetter
from precis.cli.exits import CommandRefused, Exit
from precis.cli.operating import Operator

_SHAPE: Final = re.compile(r"([0-9]{1,9})/([0-9]{1,18})", re.ASCII)


async def list_hints(settings: KafkaSettings, *, limit: int) -> list[DeadLetter]:
    """The latest, the oldest of them first."""
    topic = settings.kafka_dead_letter_topic
    async with _told_of_kafka():
        return [
            _letter(each) for each in await read_latest(settings, topic, limit=limit)
        ]


async def find_hint(settings: KafkaSettings, shown: str) -> DeadLetter | None:
    seen = await _find(settings, shown)
    return _letter(seen) if seen else None


async def replay_hint(
    operator: Operator, settings: KafkaSettings, shown: str
) -> str | None:
    """Send it to the topic of hints; gives its job's id, or None: no such letter.

    Raises `CommandRefused` where it would be of no use.
    """
    seen = await _find(settings, shown)
    if seen is None:
        return None
    job = await _check(operator, seen)
    # Before it is sent: what is done by hand never goes without its line.
    async with operator.database.transaction() as tx:
        await record_act(
            tx,
            "dead-letters.replay",
            actor=operator.actor,
            subject=f"hint {shown}",
            details={"job": job},
        )
    received = seen.record
    await _send(settings, Record(received.key, received.value or b""))
    return job


async def _check(operator: Operator, seen: Seen) -> str:
    try:
        job_id = decode_hint(seen.record.value)
    except HintMalformed as error:
        raise CommandRefused(
            f"It is no hint of ours ({error}): a dispatcher would bury it again. Find "
            "out who writes to the topic; `dead-letters show` tells where it came from.",
            status=Exit.NOT_DONE,
        ) from error
    async with operator.database.statement() as tx:
        state = (await find_states(tx, [job_id])).get(job_id)
    job = show_id(SUMMARY, job_id)
    if state is None:
        raise CommandRefused(
            f"It names {job}, which this database does not have.",
            status=Exit.NOT_DONE,
        )
    if state not in WAITING:
        raise CommandRefused(
            f"Its job is {state} and waits for no hint: `precis explain {job}`.",
            status=Exit.NOT_DONE,
        )
    return job


async def _send(settings: KafkaSettings, record: Record) -> None:
    producer = HintProducer(settings)
    try:
        async with _told_of_kafka():
            await producer.send_many(settings.kafka_topic, [record])
    finally:
        await producer.close()


async def _find(settings: KafkaSettings, shown: str) -> Seen | None:
    match = _SHAPE.fullmatch(shown)
    if match is None:
        return None
    async with _told_of_kafka():
        return await find_record(
            settings,
            settings.kafka_dead_letter_topic,
            partition=int(match[1]),
            offset=int(match[2]),
        )


def _letter(seen: Seen) -> DeadLetter:
    record, headers = seen.record, dict(seen.record.headers)
    kept = record.value or b""
    return DeadLetter(
        id=f"{record.partition}/{record.offset}",
        kind="hint",
        at=seen.at,
        error=_word(headers.get("error")) or "unknown",
        told={
            "origin": _word(headers.get("origin")) or None,
            "size": int(_word(headers.get("size"), digits=True) or len(kept)),
            "kept": len(kept),
        },
        value=kept,
    )


def _word(header: bytes | None, *, digits: bool = False) -> str:
    """A header as text; anybody may have written it."""
    word = (header or b"")[:200].decode("utf-8", "replace")
    return word if not digits or (word.isascii() and word.isdigit()) else ""


@asynccontextmanager
async def _told_of_kafka() -> AsyncIterator[None]:
    """Its absence in words."""
    try:
        yield
    except KafkaUnavailable as error:
        raise CommandRefused(
            f"Kafka refuses or does not answer ({error}). Check PRECIS_KAFKA_BOOTSTRAP, "
            "and that it runs; `precis doctor` checks all parts.",
            status=Exit.NOT_REACHABLE,
        ) from error
    except TopicMissing as error:
        raise CommandRefused(
            f"Kafka has no topic {error}. Make it, or name the right one in "
            "PRECIS_KAFKA_DEAD_LETTER_TOPIC.",
            status=Exit.NOT_DONE,
        ) from error
