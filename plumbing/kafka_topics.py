"""The topics that must exist, and how far the consumer group has come in them.

Asked seldom and from outside the flow of records: at the start of the local stack, by
tests, and by whoever checks the parts or wants proof that records were consumed.
"""

from collections.abc import Sequence
from typing import Any, Final

from plumbing.kafka_client import administer
from plumbing.kafka_records import KafkaUnavailable
from plumbing.settings import KafkaSettings

# Numbers of the Kafka protocol.
_ALREADY_EXISTS: Final = 36
_NEVER_COMMITTED: Final = -1


async def ensure_topics(
    settings: KafkaSettings, names: Sequence[str], *, partitions: int
) -> None:
    """Create the topics that are missing and wait until each has its leaders.

    One that exists stays as it is, whatever its number of partitions.
    """

    def create(admin: Any) -> None:
        wanted = {name: {"num_partitions": partitions} for name in names}
        answer = admin.create_topics(wanted, raise_errors=False)
        for topic in answer["topics"]:
            if topic["error_code"] not in {0, _ALREADY_EXISTS}:
                raise KafkaUnavailable(f"{topic['name']}: code {topic['error_code']}")
        admin.wait_for_topics(names)

    await administer(settings, create)


async def count_partitions(
    settings: KafkaSettings, names: Sequence[str]
) -> dict[str, int]:
    """Count the partitions of each topic that somebody leads; 0: there is no topic."""

    def describe(admin: Any) -> dict[str, int]:
        return {
            topic["name"]: sum(part["leader_id"] >= 0 for part in topic["partitions"])
            for topic in admin.describe_topics(list(names))
        }

    return await administer(settings, describe)


async def committed_offsets(settings: KafkaSettings, topic: str) -> dict[int, int]:
    """Read where the group stands in each partition in which it ever committed."""

    def read(admin: Any) -> dict[int, int]:
        offsets = admin.list_group_offsets(settings.kafka_group)[settings.kafka_group]
        return {
            partition.partition: position.offset
            for partition, position in offsets.items()
            if partition.topic == topic and position.offset != _NEVER_COMMITTED
        }

    return await administer(settings, read)
