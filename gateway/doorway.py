"""What every request passes, whatever it asks for: a pure ASGI layer round the app.

It gives the request its id, refuses what no endpoint should see (a long address, a
key in it, a doubled Authorization), counts and logs it by route and never by
content, and ends an unforeseen error in a problem document. Bodies pass untouched.
"""

import re
import secrets
import time
from functools import lru_cache
from typing import Final
from urllib.parse import unquote_plus

import structlog
from prometheus_client import Histogram
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from gateway.metrics import REQUEST_SECONDS, REQUESTS_IN_FLIGHT
from gateway.problems.answers import RequestRefused, problem_response

_MAX_URL_BYTES: Final = 8192
_REQUEST_ID: Final = re.compile(rb"[A-Za-z0-9._-]{1,64}")
_KEY_IN_QUERY: Final = re.compile(
    r"sk_live_|(?:^|[&;])(?:api[_-]?key|access_token|authorization)=", re.IGNORECASE
)
_SINGLE: Final = (b"authorization", b"idempotency-key", b"content-type", b"prefer")
_SECURITY_HEADERS: Final = [
    (b"x-content-type-options", b"nosniff"),
    (b"content-security-policy", b"default-src 'none'; frame-ancestors 'none'"),
    (b"referrer-policy", b"no-referrer"),
    (b"cross-origin-resource-policy", b"same-origin"),
]
_QUIET_ROUTES: Final = frozenset({"/healthz", "/readyz", "/metrics"})

log = structlog.get_logger()


class Doorway:
    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        visit = _Visit(scope, send)
        REQUESTS_IN_FLIGHT.inc()
        try:
            await self._pass(scope, receive, visit)
        finally:
            REQUESTS_IN_FLIGHT.dec()
            visit.tell()

    async def _pass(self, scope: Scope, receive: Receive, visit: "_Visit") -> None:
        try:
            refusal = _refusal(scope)
            if refusal is None:
                await self._app(scope, receive, visit.send)
            else:
                await problem_response(scope, refusal)(scope, receive, visit.send)
        except Exception:
            # The edge of a request: the process goes on serving the others.
            log.exception("request.failed", request_id=visit.request_id)
            if visit.status:
                raise  # half an answer is out: only a cut connection is honest
            answer = problem_response(scope, RequestRefused("internal_error"))
            await answer(scope, receive, visit.send)


class _Visit:
    """One request on its way through: its id, its clock and its answer's status."""

    def __init__(self, scope: Scope, send: Send) -> None:
        self._scope = scope
        self._send = send
        self._started = time.perf_counter()
        self.status = 0
        self.request_id = _request_id(scope)
        scope.setdefault("state", {})["request_id"] = self.request_id

    async def send(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            self.status = message["status"]
            message["headers"] = [
                *message.get("headers", ()),
                *_SECURITY_HEADERS,
                (b"x-request-id", self.request_id.encode()),
            ]
        await self._send(message)

    def tell(self) -> None:
        """Count and log by the route's template: a path may hold what it likes."""
        seconds = time.perf_counter() - self._started
        route = getattr(self._scope.get("route"), "path", "unmatched")
        method = self._scope["method"]
        _seconds_of(method, route, self.status).observe(seconds)
        if route not in _QUIET_ROUTES:
            log.info(
                "request.answered",
                method=method,
                route=route,
                status=self.status,
                milliseconds=round(seconds * 1000, 1),
                request_id=self.request_id,
            )


@lru_cache  # finding the labels again costs more than to observe
def _seconds_of(method: str, route: str, status: int) -> Histogram:
    return REQUEST_SECONDS.labels(method, route, str(status))


def _request_id(scope: Scope) -> str:
    for name, value in scope["headers"]:
        if name == b"x-request-id" and _REQUEST_ID.fullmatch(value):
            sane: str = value.decode()
            return sane
    return f"req_{secrets.token_hex(12)}"


def _refusal(scope: Scope) -> RequestRefused | None:
    query: bytes = scope["query_string"]
    if len(scope.get("raw_path") or b"") + len(query) > _MAX_URL_BYTES:
        return RequestRefused("uri_too_long", figures={"limit": _MAX_URL_BYTES})
    names = [name for name, _ in scope["headers"]]
    for name in _SINGLE:
        if names.count(name) > 1:
            figures = {"header": name.decode()}
            return RequestRefused("duplicate_header", figures=figures)
    if query and _KEY_IN_QUERY.search(unquote_plus(query.decode("latin-1"))):
        return RequestRefused("key_in_query")
    return None
