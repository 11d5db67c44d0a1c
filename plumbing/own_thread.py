"""A thread for a library that blocks, so that the event loop never does.

One thread for one client: such clients must not be used from two threads at once, and
their calls keep the order in which they were made. A caller that is cancelled leaves
its call running; the calls themselves must be bounded in time.
"""

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

T = TypeVar("T")


class OwnThread:
    """Runs calls one after the other; the library's failures become ours."""

    def __init__(
        self, name: str, *, failure: type[Exception], told_as: type[Exception]
    ) -> None:
        self._executor = ThreadPoolExecutor(1, thread_name_prefix=name)
        self._failure = failure
        self._told_as = told_as

    async def run(self, call: Callable[[], T]) -> T:
        loop = asyncio.get_running_loop()
        try:
            return await loop.run_in_executor(self._executor, call)
        except self._failure as error:
            # The class says enough; a message may hold addresses.
            raise self._told_as(type(error).__name__) from error

    def end(self) -> None:
        self._executor.shutdown(wait=False)
