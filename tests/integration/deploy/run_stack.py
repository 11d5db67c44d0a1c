"""A supervisor in a process of its own, for tests that kill it.

`python run_stack.py DIR NAME...` starts the named parts, prints one line per change
and stops on SIGTERM or SIGINT, as `precis up` does.
"""

import asyncio
import signal
import sys
from pathlib import Path

from deploy.local.refusals import StackRefused
from deploy.local.stack import LocalStack, StackOptions


def _say(name: str, state: str) -> None:
    sys.stdout.write(f"{name} {state}\n")


async def main(folder: str, *names: str) -> None:
    options = StackOptions(data_dir=Path(folder), only=frozenset(names) or None)
    stack, stop = LocalStack(options, on_progress=_say), asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    await stack.start()
    _say("stack", "ready")
    try:
        await stack.run_until(stop)
    finally:
        await stack.stop()
    _say("stack", "stopped")


if __name__ == "__main__":
    try:
        asyncio.run(main(*sys.argv[1:]))
    except StackRefused as error:
        sys.exit(f"refused: {error}")
