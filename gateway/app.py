"""The ASGI application: which endpoints there are, and what surrounds each of them.

Built from a context that is ready to use; opening and closing that is
`composition`'s. The interactive documentation is off: it loads code from a CDN.
"""

from operator import attrgetter
from typing import Final

from fastapi import FastAPI
from fastapi.telemetry import TelemetryConfig

from gateway.context import Gateway
from gateway.doorway import Doorway
from gateway.endpoints import (
    cancelling,
    deliveries,
    erasing,
    listing,
    pages,
    reading,
    summaries,
    webhook_endpoints,
)
from gateway.express import Express
from gateway.openapi import describe
from gateway.problems.answers import handle_problems

# FastAPI's own would write exceptions out with their messages, and costs each request.
_NO_TELEMETRY: Final[TelemetryConfig] = {
    "tracing": False,
    "metrics": False,
    "logs": False,
    "operation_spans": False,
}


def create_app(gateway: Gateway) -> FastAPI:
    app = FastAPI(
        title="Precis",
        version="1",
        docs_url=None,
        redoc_url=None,
        redirect_slashes=False,
        generate_unique_id_function=attrgetter("name"),
        telemetry=_NO_TELEMETRY,
    )
    app.state.gateway = gateway
    app.state.readiness = pages.Readiness(gateway.database)
    for module in (
        summaries,
        reading,
        listing,
        cancelling,
        erasing,
        webhook_endpoints,
        deliveries,
        pages,
    ):
        app.include_router(module.router)
    handle_problems(app)
    app.add_middleware(
        Express,
        route=summaries.create_route,
        exception_handlers=app.exception_handlers,
    )
    app.add_middleware(Doorway)
    describe(app)
    return app
