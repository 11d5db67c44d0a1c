"""Starts the stack in a folder of its own, shows and checks everything, stops it all.

Only what this run started is ended, and afterwards it is looked for: a process that
is left makes the demo fail as much as a claim that is not true.
"""

import asyncio
import shutil
import tempfile
from collections.abc import AsyncIterator, Coroutine, Iterator
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path
from time import monotonic
from typing import Any, Final

import psutil
from standardwebhooks import WebhookVerificationError

from deploy.local.ready import Ready
from deploy.local.refusals import StackRefused
from deploy.local.stack import LocalStack, StackOptions
from plumbing.logs import configure_logs
from plumbing.process import run as run_process
from plumbing.settings import ServiceSettings, read_settings
from precis.client.asynchronous import AsyncClient
from precis.client.errors import PrecisError
from precis.demo import steps
from precis.demo.checking import DemoFailed, check
from precis.demo.receiver import WebhookReceiver
from precis.screen.showing import say, show

_RECIPIENT: Final = "reader@example.com"


def run() -> int:
    """Run the demo; the answer is the exit status."""
    configure_logs(read_settings(ServiceSettings), service="demo")
    failures: list[str] = []

    async def main(stop: asyncio.Event) -> None:
        try:
            await _unless_stopped(_demonstrate(), stop)
        except (DemoFailed, StackRefused, PrecisError, WebhookVerificationError) as why:
            failures.append(str(why))

    status = run_process(main)
    for failure in failures:
        say(f"demo: failed: {failure}")
    if failures or status:
        return 1
    show()
    show("demo: ok")
    return 0


async def _unless_stopped(work: Coroutine[Any, Any, None], stop: asyncio.Event) -> None:
    """Do the work, or give it up when told to stop; it tidies up either way."""
    working = asyncio.create_task(work)
    stopping = asyncio.create_task(stop.wait())
    await asyncio.wait({working, stopping}, return_when=asyncio.FIRST_COMPLETED)
    stopping.cancel()
    if not working.done():
        working.cancel()
        await asyncio.wait({working})
        raise DemoFailed("interrupted; everything was stopped")
    working.result()


async def _demonstrate() -> None:
    began = monotonic()
    with _data_folder() as data_dir, _receiver() as receiver:
        async with _stack(data_dir) as ready:
            show(f"Everything is up after {monotonic() - began:.1f} s, at {ready.url}")
            async with AsyncClient(ready.url, ready.api_key) as client:
                await _show_all(client, receiver, ready, data_dir)
    left = psutil.Process().children(recursive=True)
    check("everything was stopped, no process is left", holds=not left)


async def _show_all(
    client: AsyncClient, receiver: WebhookReceiver, ready: Ready, data_dir: Path
) -> None:
    await steps.short_text(client)
    accepted = await steps.accept_long_text(
        client, webhook=receiver.url, mail=_RECIPIENT
    )
    done = await steps.finish_long_text(client, accepted)
    await steps.messages(receiver, ready, done.id)
    await steps.same_key_twice(client)
    await steps.behind_the_door(ready, done, data_dir=data_dir)
    steps.memory(ready.pids)


@contextmanager
def _data_folder() -> Iterator[Path]:
    data_dir = Path(tempfile.mkdtemp(prefix="precis-demo-"))
    # Started as root, Postgres runs as another user, who has to pass.
    data_dir.chmod(0o711)
    try:
        yield data_dir
    finally:
        shutil.rmtree(data_dir, ignore_errors=True)


@contextmanager
def _receiver() -> Iterator[WebhookReceiver]:
    receiver = WebhookReceiver()
    receiver.start()
    try:
        yield receiver
    finally:
        receiver.stop()


@asynccontextmanager
async def _stack(data_dir: Path) -> AsyncIterator[Ready]:
    show("Starting the real parts, each a process of its own:")
    stack = LocalStack(
        StackOptions(data_dir=data_dir),
        on_progress=lambda name, state: show(f"  {name:<16} {state}"),
    )
    ready = await stack.start()
    try:
        yield ready
    finally:
        show()
        show("Stopping everything")
        await stack.stop()
