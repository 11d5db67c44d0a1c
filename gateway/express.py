"""The short way to the one endpoint that has to be fast, past FastAPI's router.

Behind the doorway and before everything else: the router and the layers round it cost
a sixth of a realtime answer. The route itself is FastAPI's and documented there, and
what it refuses becomes a problem document by the same handlers.
"""

from collections.abc import Awaitable, Callable, Collection, Mapping
from typing import Any

from fastapi import Request, Response
from fastapi.routing import APIRoute
from starlette.types import ASGIApp, Receive, Scope, Send


class Express:
    """Calls `route`, whose endpoint takes the request alone and gives the response."""

    def __init__(
        self,
        app: ASGIApp,
        *,
        route: APIRoute,
        exception_handlers: Mapping[Any, Callable[..., Any]],
    ) -> None:
        self._app = app
        self._route = route
        self._methods: Collection[str] = route.methods or ()
        self._endpoint: Callable[[Request], Awaitable[Response]] = route.endpoint
        self._handlers = exception_handlers
        self._handled = tuple(kind for kind in exception_handlers if _is_error(kind))

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if (
            scope["type"] != "http"
            or scope["path"] != self._route.path
            or scope["method"] not in self._methods
        ):
            await self._app(scope, receive, send)
            return
        scope["route"] = self._route
        request = Request(scope, receive, send)
        try:
            response = await self._endpoint(request)
        except self._handled as error:
            response = await self._answer(request, error)
        await response(scope, receive, send)

    async def _answer(self, request: Request, error: Exception) -> Response:
        kind = next(each for each in type(error).__mro__ if each in self._handlers)
        response: Response = await self._handlers[kind](request, error)
        return response


def _is_error(kind: Any) -> bool:
    return isinstance(kind, type) and issubclass(kind, Exception)
