"""What stands before several gateways, as simple as they come.

Each request goes to the next gateway on a connection of its own. It is sent again only
where nobody took it: the connection was refused, or the answer was a 503 that asks for
a repeat. An answer that is cut off is the caller's: half of it may have happened.
"""

import asyncio
import itertools
import time
from collections.abc import Sequence
from http import HTTPStatus
from typing import Final

from tests.faults.gateway.wire import Answer, ask_once

_PATIENCE: Final = 10.0
_PAUSE: Final = 0.02


class Balancer:
    def __init__(self, ports: Sequence[int]) -> None:
        self._next = itertools.cycle(ports)
        self.repeated = 0

    async def ask(self, request: bytes) -> Answer:
        end = time.monotonic() + _PATIENCE
        while True:
            answer = await self._try(next(self._next), request)
            if answer is not None:
                return answer
            assert time.monotonic() < end, "no gateway takes the request"
            self.repeated += 1
            await asyncio.sleep(_PAUSE)

    async def _try(self, port: int, request: bytes) -> Answer | None:
        """None: nobody took it."""
        try:
            answer = await ask_once(port, request)
        except ConnectionError:
            return None
        is_turned_away = answer.status == HTTPStatus.SERVICE_UNAVAILABLE
        return None if is_turned_away and answer.asks_to_repeat else answer
