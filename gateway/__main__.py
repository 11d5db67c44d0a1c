"""`python -m gateway`: the HTTP interface of Precis.

The edge of the process: it reads the settings, opens what is needed and serves until
it is told to stop. Everything else is in `composition`, `app` and `serving`.
"""

import asyncio
import sys

from gateway.app import create_app
from gateway.composition import open_gateway
from gateway.serving import serve
from gateway.settings import GatewaySettings
from plumbing.garbage import calm_garbage_collector
from plumbing.logs import configure_logs
from plumbing.process import run
from plumbing.settings import SettingsRefused, read_settings


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
            await serve(app, gateway, stop=stop)

    return run(serve_until)


if __name__ == "__main__":
    sys.exit(main())
