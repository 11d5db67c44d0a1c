"""Makes the topics of the job log: `python -m deploy.local.topics`.

A short-lived child, so that the supervisor needs no Kafka client and its threads. It is
told by environment where Kafka is, like every process of ours.
"""

import asyncio

from plumbing.kafka_topics import ensure_topics
from plumbing.settings import KafkaSettings, read_settings

_JOB_PARTITIONS = 6


async def make_topics(settings: KafkaSettings) -> None:
    topic, dead_letters = settings.kafka_topic, settings.kafka_dead_letter_topic
    await ensure_topics(settings, [topic], partitions=_JOB_PARTITIONS)
    await ensure_topics(settings, [dead_letters], partitions=1)


if __name__ == "__main__":
    asyncio.run(make_topics(read_settings(KafkaSettings)))
