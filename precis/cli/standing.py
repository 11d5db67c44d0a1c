"""The local stack in the foreground: up until it is told to stop.

The stack itself is `deploy.local`'s; here is what a person sees of it, and the answer
to Ctrl-C and SIGTERM, at any moment, the start included.
"""

import asyncio
import contextlib

from deploy.local.ready import Ready
from deploy.local.refusals import StackRefused
from deploy.local.stack import LocalStack, StackOptions
from plumbing.logs import configure_logs
from plumbing.process import run
from plumbing.settings import EngineSettings, ServiceSettings, read_settings
from precis.cli.exits import CommandRefused, Exit
from precis.screen.showing import say, show


def keep_up(options: StackOptions) -> Exit:
    """Start the stack and keep it; comes back when it was told to stop."""
    configure_logs(read_settings(ServiceSettings), service="up")
    refusals: list[StackRefused] = []

    async def main(stop: asyncio.Event) -> None:
        try:
            await _stand(options, stop)
        except StackRefused as refusal:
            refusals.append(refusal)

    status = run(main)
    if refusals:
        raise CommandRefused(str(refusals[0]), status=Exit.NOT_DONE)
    return Exit(status)


def engine_api_key() -> str | None:
    key = read_settings(EngineSettings).engine_api_key
    return key.get_secret_value() if key else None


async def _stand(options: StackOptions, stop: asyncio.Event) -> None:
    stack = LocalStack(options, on_progress=_show_progress)
    ready = await _start(stack, stop)
    if ready is None:
        return
    try:
        _welcome(ready, options)
        await stack.run_until(stop)
    finally:
        say("stopping everything")
        await stack.stop()


async def _start(stack: LocalStack, stop: asyncio.Event) -> Ready | None:
    """Start it, or give up as soon as it is told to stop; then nothing is left."""
    starting = asyncio.create_task(stack.start())
    stopping = asyncio.create_task(stop.wait())
    await asyncio.wait({starting, stopping}, return_when=asyncio.FIRST_COMPLETED)
    stopping.cancel()
    if starting.done():
        return starting.result()
    starting.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await starting
        await stack.stop()  # it was ready at that very moment
    return None


def _show_progress(name: str, state: str) -> None:
    say(f"  {name:<16} {state}")


def _welcome(ready: Ready, options: StackOptions) -> None:
    folder = options.data_dir
    named = "" if str(folder) == ".precis" else f" --data {folder}"
    show(
        f"""
Precis is up at {ready.url}

  API key   {ready.api_key}
  details   {folder / "ready.json"}
  mails     {ready.mail_dir}

Try next, in another terminal:

  precis summarize README.md{named}
  precis list{named}
  curl {ready.url}/v1/summaries -H "Authorization: Bearer {ready.api_key}" \\
    -H "Content-Type: application/json" -d '{{"text": "Your text."}}'

Ctrl-C stops everything; the jobs are kept in {folder}."""
    )
