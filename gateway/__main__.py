"""`python -m gateway`: the HTTP interface of Precis.

The edge of the process: it reads the settings, opens what is needed and serves until
it is told to stop. Everything else is in `composition`, `app` and `serving`.
"""

import asyncio
import sys
from datetime import timedelta
from typing import Final

from fastapi import FastAPI

from gateway.app import create_app
from gateway.composition import open_gateway
from gateway.context import Gateway
from gateway.serving import serve
from gateway.settings import GatewaySettings
from jobs.master_key import require_master_key
from plumbing.garbage import calm_garbage_collector
from plumbing.logs import configure_logs
from plumbing.process import run
from plumbing.settings import SettingsRefused, read_settings

# A database that is away now may be away for long: callers are told so meanwhile.
_PATIENCE: Final = timedelta(seconds=2)


def main() -> int:
    try:
        settings = read_settings(GatewaySettings)
    except SettingsRefused as error:
        print(error, file=sys.stderr)  # noqa: T201 - logs are not configured yet
        return 2
    configure_logs(settings, service="gateway")

    async def serve_until(stop: asyncio.Event) -> None:
        async with open_gateway(settings) as gateway:
            app = create_app(gateway)
            calm_garbage_collector()
            await _serve_checked(app, gateway, stop=stop)

    return run(serve_until)


async def _serve_checked(
    app: FastAPI, gateway: Gateway, *, stop: asyncio.Event
) -> None:
    """Serve, also while the database is away; with a wrong master key not at all."""
    checking = asyncio.create_task(
        require_master_key(gateway.database, gateway.master_key, stop=stop)
    )
    await asyncio.wait([checking], timeout=_PATIENCE.total_seconds())
    if not (checking.done() and checking.exception()):
        checking.add_done_callback(lambda done: _stop_if_wrong(done, stop))
        await serve(app, gateway, stop=stop)
    await checking


def _stop_if_wrong(done: asyncio.Task[None], stop: asyncio.Event) -> None:
    if not done.cancelled() and done.exception() is not None:
        stop.set()


if __name__ == "__main__":
    sys.exit(main())
