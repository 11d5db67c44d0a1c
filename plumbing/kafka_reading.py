"""Records looked at from outside: no group, nothing committed, nobody's place moves.

For whoever wants to see what lies in a topic, seldom and a little of it. Consuming is
`kafka_client`'s.
"""

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, Final

from plumbing.kafka_client import Partition, look_into, receive
from plumbing.kafka_records import KafkaUnavailable, Received
from plumbing.settings import KafkaSettings

_LONGEST: Final = timedelta(seconds=15)
_POLL_MS: Final = 500
_AT_ONCE: Final = 500


class TopicMissing(Exception):
    """Kafka has no such topic."""


@dataclass(frozen=True, slots=True)
class Seen:
    """A record, and when it was written."""

    record: Received
    at: datetime


async def read_latest(
    settings: KafkaSettings, topic: str, *, limit: int
) -> Sequence[Seen]:
    """The latest records of all partitions, the oldest of them first."""

    def read(consumer: Any) -> list[Seen]:
        ends = consumer.end_offsets(_partitions(consumer, topic))
        wanted = {
            place: range(max(first, ends[place] - limit), ends[place])
            for place, first in consumer.beginning_offsets(list(ends)).items()
        }
        seen = sorted(_read(consumer, wanted), key=lambda each: each.at)
        return seen[max(0, len(seen) - limit) :]

    return await look_into(settings, read)


async def find_record(
    settings: KafkaSettings, topic: str, *, partition: int, offset: int
) -> Seen | None:
    """One record; None where there is none, or where it is kept no longer."""

    def read(consumer: Any) -> list[Seen]:
        place = Partition(topic, partition)
        if place not in _partitions(consumer, topic):
            return []
        first = consumer.beginning_offsets([place])[place]
        end = consumer.end_offsets([place])[place]
        if not first <= offset < end:
            return []
        return _read(consumer, {place: range(offset, offset + 1)})

    return next(iter(await look_into(settings, read)), None)


def _partitions(consumer: Any, topic: str) -> list[Any]:
    # Asked before it is named in any other way: naming a topic may make it.
    numbers = consumer.partitions_for_topic(topic)
    if not numbers:
        raise TopicMissing(topic)
    return [Partition(topic, number) for number in sorted(numbers)]


def _read(consumer: Any, wanted: Mapping[Any, range]) -> list[Seen]:
    """The records at these offsets; some may have been deleted meanwhile."""
    left = {place: offsets for place, offsets in wanted.items() if offsets}
    consumer.assign(list(left))
    for place, offsets in left.items():
        consumer.seek(place, offsets.start)
    seen: list[Seen] = []
    end = time.monotonic() + _LONGEST.total_seconds()
    while left:
        if time.monotonic() > end:
            raise KafkaUnavailable("too slow")
        batches = consumer.poll(timeout_ms=_POLL_MS, max_records=_AT_ONCE)
        seen += [
            _see(record)
            for place, batch in batches.items()
            for record in batch
            if record.offset in wanted[place]
        ]
        left = {p: o for p, o in left.items() if consumer.position(p) < o.stop}
    return seen


def _see(record: Any) -> Seen:
    # Brokers without a clock of their own write -1.
    written = datetime.fromtimestamp(max(record.timestamp, 0) / 1000, UTC)
    return Seen(receive(record), written)
