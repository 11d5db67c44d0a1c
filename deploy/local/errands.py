"""Short programs that are run to their end before a server can start.

They are children like all others (own session, die with the supervisor), only awaited.
"""

import asyncio
import os
import signal
import subprocess
from collections.abc import Awaitable, Callable, Coroutine
from contextlib import suppress
from datetime import timedelta
from pathlib import Path
from typing import Any

from deploy.local.commands import Command, last_lines, spawn
from deploy.local.refusals import StackRefused

_GLANCE_SECONDS = 0.02


async def until(
    question: Callable[[], bool] | Callable[[], Awaitable[bool]], *, within: timedelta
) -> bool:
    """Ask again and again until the answer is yes or the time is over."""
    loop = asyncio.get_running_loop()
    deadline = loop.time() + within.total_seconds()
    while True:
        answer = question()
        if answer if isinstance(answer, bool) else await answer:
            return True
        if loop.time() > deadline:
            return False
        await asyncio.sleep(_GLANCE_SECONDS)


async def side_by_side(*works: Coroutine[Any, Any, None]) -> None:
    """Wait for all; at the first failure the others are cancelled, then it is raised.

    Unlike a task group it raises the failure itself, which is a message for people.
    """
    tasks = [asyncio.create_task(work) for work in works]
    if not tasks:
        return
    try:
        await asyncio.wait(tasks, return_when=asyncio.FIRST_EXCEPTION)
    finally:
        failed = [task for task in tasks if task.done() and not task.cancelled()]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
    for task in failed:
        task.result()


async def run_errand(
    command: Command, *, purpose: str, log: Path, within: timedelta
) -> None:
    """Run a program to its end; a failure is told with the last lines it wrote."""
    process = spawn(command, log=log)
    try:
        await until(lambda: process.poll() is not None, within=within)
    finally:
        end_now(process)
    if process.returncode != 0:
        raise StackRefused(
            f"{purpose} failed (exit status {process.returncode}); "
            f"the end of {log}:\n{last_lines(log)}"
        )


def end_now(process: subprocess.Popen[bytes]) -> None:
    """Kill a child with all that stayed in its group, and collect it."""
    with suppress(ProcessLookupError, PermissionError):
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()
