"""How a process starts, is told to stop, and ends: the edge of every main program.

SIGTERM and SIGINT set one event that everything below waits on; nothing below knows
about signals. An exception that reaches this edge is a bug or a lost part: it is
logged with its trace and the process ends with status 1, for whoever started it to
start it again. Settings that turn out to be wrong end it with status 2: a new start
would not help.
"""

import asyncio
import signal
from collections.abc import Awaitable, Callable
from datetime import timedelta
from typing import Protocol

import structlog
import uvloop

from plumbing.settings import SettingsRefused

Main = Callable[[asyncio.Event], Awaitable[None]]

_STOP_SIGNALS = (signal.SIGTERM, signal.SIGINT)

log = structlog.get_logger()


class Loop(Protocol):
    """A body of work that goes on until the event is set, and then returns."""

    async def run(self, stop: asyncio.Event, /) -> None: ...


class LoopEnded(Exception):
    """A loop returned though nobody had asked it to stop."""


def run(main: Main) -> int:
    """Run `main` on uvloop until it returns; the answer is the exit status."""
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        return runner.run(_run_to_the_edge(main))


async def supervise_loops(stop: asyncio.Event, *loops: Loop) -> None:
    """Run the loops side by side until `stop`; if one fails, stop all and raise.

    The others are asked to stop, not cancelled: they finish the round they are in.
    """
    tasks = [
        asyncio.create_task(loop.run(stop), name=type(loop).__name__) for loop in loops
    ]
    try:
        await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
        early = [] if stop.is_set() else [task for task in tasks if task.done()]
        stop.set()
        await asyncio.wait(tasks)
    except asyncio.CancelledError:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        raise
    _raise_failures(tasks, early=early)


async def sleep_or_stop(stop: asyncio.Event, delay: timedelta) -> bool:
    """Sleep, or wake at once when asked to stop; True means stop."""
    try:
        async with asyncio.timeout(delay.total_seconds()):
            return await stop.wait()
    except TimeoutError:
        return False


async def _run_to_the_edge(main: Main) -> int:
    stop = asyncio.Event()
    _listen_for_signals(stop)
    try:
        await main(stop)
    except SettingsRefused as error:
        log.error("process.refused", reason=str(error))  # noqa: TRY400 - no trace helps
        return 2
    except Exception:
        log.exception("process.failed")
        return 1
    return 0


def _listen_for_signals(stop: asyncio.Event) -> None:
    loop = asyncio.get_running_loop()

    def ask_to_stop(signum: int) -> None:
        log.info("process.stopping", signal=signal.Signals(signum).name)
        # The next signal ends the process at once, whatever hangs.
        for each in _STOP_SIGNALS:
            loop.remove_signal_handler(each)
            signal.signal(each, signal.SIG_DFL)
        stop.set()

    for signum in _STOP_SIGNALS:
        loop.add_signal_handler(signum, ask_to_stop, signum)


def _raise_failures(
    tasks: list[asyncio.Task[None]], *, early: list[asyncio.Task[None]]
) -> None:
    failures = [error for task in tasks if (error := task.exception()) is not None]
    if len(failures) == 1:
        raise failures[0]
    if failures:
        raise BaseExceptionGroup("several loops failed", failures)
    if early:
        raise LoopEnded(", ".join(task.get_name() for task in early))
