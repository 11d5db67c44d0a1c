"""The Celery queue seen from the sending side: how much waits in it, and sending.

Valkey may be away at any time: that is `BrokerUnavailable`, and the hints wait in
Kafka meanwhile.
"""

import asyncio
import time
from collections.abc import Sequence
from typing import Final

from celery import Celery
from kombu.exceptions import OperationalError
from redis.asyncio import Redis
from redis.exceptions import RedisError

from jobs.messages.hint import ClaimRequest
from workers.celery_app import QUEUE, TASK

# Kombu's index of messages that workers prefetched, by when they did.
_PREFETCHED: Final = "unacked_index"
# Older ones belong to a worker that was killed, or to one with its hands full: who has
# room starts a message within milliseconds.
_SOON_STARTED_SECONDS: Final = 1


class BrokerUnavailable(Exception):
    """Valkey cannot be asked; the message is the error's class."""


class Broker:
    """Sends claim requests and counts those that wait."""

    def __init__(self, app: Celery, redis_url: str) -> None:
        self._app = app
        self._redis: Redis = Redis.from_url(
            redis_url, socket_timeout=2, socket_connect_timeout=2
        )

    async def count_waiting(self) -> int:
        """Messages that will soon claim jobs: queued ones and those just prefetched."""
        now = time.time()
        # A worker's own clock said when: one that is far off is left out, or what it held
        # when it was killed would take room until this clock has come as far.
        just_now = (now - _SOON_STARTED_SECONDS, now + _SOON_STARTED_SECONDS)
        try:
            async with self._redis.pipeline(transaction=False) as pipeline:
                pipeline.llen(QUEUE)
                pipeline.zcount(_PREFETCHED, *just_now)
                return sum(await pipeline.execute())
        except (RedisError, OSError, RuntimeError) as error:
            # RuntimeError: uvloop's, where the connection broke before the first byte.
            raise BrokerUnavailable(type(error).__name__) from error

    async def send(self, requests: Sequence[ClaimRequest]) -> None:
        """Hand the requests over; on an error some of them may have arrived."""
        await asyncio.to_thread(self._send, requests)

    def _send(self, requests: Sequence[ClaimRequest]) -> None:
        try:
            with self._app.producer_or_acquire() as producer:
                for request in requests:
                    self._app.send_task(
                        TASK, args=[request.to_body()], producer=producer, retry=False
                    )
        except (OperationalError, RedisError, OSError) as error:
            raise BrokerUnavailable(type(error).__name__) from error

    async def close(self) -> None:
        await self._redis.aclose()
        self._app.close()
