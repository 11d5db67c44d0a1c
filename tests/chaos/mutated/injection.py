"""Lets a part of all calls to the outside fail, in the processes that load it.

`sitecustomize` beside it loads it where CHAOS_INJECTION is in the environment. Each edge
is wrapped as its module is imported. Of the calls there one part is not made ("error"),
and another is made, and its caller told that it failed ("lost"): what Temporal calls
ExecuteAndTimeout. Lines stay whole; breaking those is the part of the chaos run's own
faults. What became of each call is noted in a file that all processes share.

Standard library only, because it is loaded before anything else.
"""

import functools
import importlib
import importlib.abc
import inspect
import json
import os
import random
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from importlib.machinery import ModuleSpec
from types import ModuleType
from typing import Any

BOTH = frozenset({"error", "lost"})


@dataclass(frozen=True)
class Edge:
    """Where a call leaves our process, and the error of one that failed."""

    name: str
    module: str
    owner: str
    method: str
    error: str
    instead: str = ""
    """What happens to the object when the call is not made."""
    fates: frozenset[str] = BOTH

    def broken(self) -> Exception:
        module, _, kind = self.error.partition(":")
        error: Exception = getattr(importlib.import_module(module), kind)("injected")
        return error


_PG = "psycopg:OperationalError"
_SMTP = "aiosmtplib:SMTPServerDisconnected"
_KAFKA = "kafka.errors:KafkaTimeoutError"
EDGES = (
    # A statement by itself is committed with it; in a transaction the COMMIT decides,
    # and a server that refuses it has rolled back.
    Edge("postgres", "psycopg", "AsyncCursor", "execute", _PG),
    Edge("postgres commit", "psycopg", "AsyncConnection", "commit", _PG, "rollback"),
    Edge(
        "engine",
        "plumbing.engine_transport",
        "EngineTransport",
        "exchange",
        "plumbing.engine_errors:EngineUnavailable",
    ),
    Edge("kafka send", "kafka", "KafkaProducer", "flush", _KAFKA),
    Edge("kafka poll", "kafka", "KafkaConsumer", "poll", _KAFKA),
    Edge("kafka commit", "kafka", "KafkaConsumer", "commit", _KAFKA),
    Edge(
        "valkey send",
        "celery.app.base",
        "Celery",
        "send_task",
        "kombu.exceptions:OperationalError",
    ),
    Edge(
        "valkey count",
        "redis.asyncio.client",
        "Pipeline",
        "execute",
        "redis.exceptions:ConnectionError",
    ),
    Edge(
        "webhook",
        "notifier.guarded_transport",
        "GuardedTransport",
        "handle_async_request",
        "httpx:ReadError",
    ),
    # One conversation is one call: not made at its beginning, or lost at its end.
    Edge("mail", "aiosmtplib", "SMTP", "connect", _SMTP, fates=frozenset({"error"})),
    Edge("mail text", "aiosmtplib", "SMTP", "data", _SMTP, fates=frozenset({"lost"})),
)
_SHRINK = 1800
"""The fifth try of a delivery, which some need here, is hours away, and no setting brings
it nearer: day and night pass in 48 seconds."""


class Chance:
    """Draws the fate of each call, edge by edge in an order of its own."""

    def __init__(self, told: dict[str, Any]) -> None:
        self._error, self._lost = float(told["error"]), float(told["lost"])
        self._seed = f"{told['seed']}:{os.environ.get('CHAOS_NAME', '')}"
        self._randoms: dict[str, random.Random] = {}
        flags = os.O_WRONLY | os.O_APPEND | os.O_CREAT
        self._notes = os.open(told["notes"], flags, 0o600)

    def draw(self, edge: Edge) -> str:
        if edge.name not in self._randoms:
            self._randoms[edge.name] = random.Random(f"{self._seed}:{edge.name}")
        drawn = self._randoms[edge.name].random()
        fate = "made"
        if drawn < self._error:
            fate = "error"
        elif drawn < self._error + self._lost:
            fate = "lost"
        if fate not in edge.fates:
            fate = "made"
        os.write(self._notes, f"{edge.name}: {fate}\n".encode())
        return fate


Draw = Callable[[Edge], str]


def wrap(module: ModuleType, edge: Edge, draw: Draw) -> None:
    owner = getattr(module, edge.owner)
    call = getattr(owner, edge.method)
    around = _around_async if inspect.iscoroutinefunction(call) else _around
    setattr(owner, edge.method, around(call, edge, draw))


def _around(call: Callable[..., Any], edge: Edge, draw: Draw) -> Callable[..., Any]:
    @functools.wraps(call)
    def struck(*given: Any, **named: Any) -> Any:
        fate = draw(edge)
        if fate == "error":
            raise edge.broken()
        answer = call(*given, **named)
        if fate == "lost":
            raise edge.broken()
        return answer

    return struck


def _around_async(
    call: Callable[..., Any], edge: Edge, draw: Draw
) -> Callable[..., Any]:
    @functools.wraps(call)
    async def struck(*given: Any, **named: Any) -> Any:
        fate = draw(edge)
        if fate == "error":
            if edge.instead:
                await getattr(given[0], edge.instead)()
            raise edge.broken()
        answer = await call(*given, **named)
        if fate == "lost":
            raise edge.broken()
        return answer

    return struck


def _hurry(module: ModuleType) -> None:
    if module.__name__ == "notifier.schedule":
        vars(module)["WAITS"] = tuple(wait / _SHRINK for wait in module.WAITS)
    if module.__name__ == "notifier.lanes":
        named = module.LaneWatch.__init__.__kwdefaults__
        named["rest"] = named["rest"] / _SHRINK


class _Loader(importlib.abc.Loader):
    """Loads as another does, and wraps what was loaded."""

    def __init__(self, loader: Any, draw: Draw) -> None:
        self._loader = loader
        self._draw = draw

    def __getattr__(self, name: str) -> Any:
        return getattr(self._loader, name)

    def create_module(self, spec: ModuleSpec) -> ModuleType | None:
        module: ModuleType | None = self._loader.create_module(spec)
        return module

    def exec_module(self, module: ModuleType) -> None:
        self._loader.exec_module(module)
        _hurry(module)
        for edge in EDGES:
            if edge.module == module.__name__:
                wrap(module, edge, self._draw)


class _Finder(importlib.abc.MetaPathFinder):
    def __init__(self, draw: Draw) -> None:
        self._draw = draw
        self._modules = {edge.module for edge in EDGES}
        self._modules |= {"notifier.schedule", "notifier.lanes"}

    def find_spec(
        self,
        name: str,
        path: Sequence[str] | None,
        target: ModuleType | None = None,
    ) -> ModuleSpec | None:
        if name not in self._modules:
            return None
        others = (finder for finder in sys.meta_path if finder is not self)
        for finder in others:
            spec = finder.find_spec(name, path, target)
            if spec is not None:
                spec.loader = _Loader(spec.loader, self._draw)
                return spec
        return None


def install() -> None:
    told: dict[str, Any] = json.loads(os.environ["CHAOS_INJECTION"])
    sys.meta_path.insert(0, _Finder(Chance(told).draw))
