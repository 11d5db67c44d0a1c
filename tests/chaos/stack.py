"""The whole system under one roof, twice of everything, with proxies in between.

Servers, tables, topics, tenant and settings come from the local stack, so they are
those of `precis up`; only our processes are the keeper's. Every address that a process
is told is replaced by that of a proxy, one for each kind of process and server.
"""

import asyncio
import secrets
from collections.abc import AsyncIterator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from typing import Final

from deploy.local.data_folder import DataFolder
from deploy.local.layout import Layout
from deploy.local.port_choice import choose_ports
from deploy.local.ready import Ready
from deploy.local.stack import LocalStack, StackOptions
from tests.chaos.journal import Journal
from tests.chaos.keeper import Keeper
from tests.faults.proxy import Proxy

HOST: Final = "127.0.0.1"
ENGINES: Final = ("engine-1", "engine-2")
PROCESSES: Final[Mapping[str, int]] = {
    "gateway": 2,
    "dispatcher": 2,
    "worker": 3,
    "notifier": 2,
}
_MODULES: Final = {
    "gateway": "gateway",
    "dispatcher": "workers.dispatcher",
    "worker": "workers.batch",
    "notifier": "notifier",
}
# Leases of 2 s, and everything that hangs on them in proportion.
_SHORT: Final = {
    "PRECIS_JOB_LEASE": "2",
    "PRECIS_RECONCILE_INTERVAL": "0.5",
    "PRECIS_HINT_PATIENCE": "1.5",
    "PRECIS_DELIVERY_LEASE": "4",
    "PRECIS_STOP_GRACE": "5",
    "PRECIS_ENGINE_CALL_LIMIT": "10",
    "PRECIS_REALTIME_LIMIT": "3",
    "PRECIS_REALTIME_MAX_TOKENS": "1200",
    "PRECIS_WORKER_SLOTS": "8",
    "PRECIS_WORKER_THREADS": "4",
    "PRECIS_DATABASE_POOL_SIZE": "4",
    "PYTHONUNBUFFERED": "1",
}
_SERVERS: Final = frozenset({"postgres", "valkey", "kafka", "smtp"})


class _Servers(LocalStack):
    """The local stack up to the point where our own processes would start."""

    async def _start_services(self, layout: Layout) -> None:
        self.layout = layout


@dataclass
class Stack:
    ready: Ready
    keeper: Keeper
    proxies: dict[str, Proxy]
    servers: LocalStack
    mark: str
    """In the environment of every process of ours, and of nobody else."""
    scratch: Path
    """Where temporary files of theirs would be."""
    gateways: list[str] = field(default_factory=list)

    @property
    def server_pids(self) -> Mapping[str, int]:
        return self.servers._supervisor.pids


_LONGEST_PAUSE: Final = timedelta(seconds=2)
"""Here it is us who kill the servers: a growing pause would be an outage of ours."""


@asynccontextmanager
async def open_stack(
    data: Path,
    journal: Journal,
    *,
    engine_seconds: float,
    extra: Mapping[str, str],
    receiver_port: int,
) -> AsyncIterator[Stack]:
    """Everything up and ready; `extra` is added to the environment of our processes."""
    # Named with one of ours, the local stack makes tables and tenant as well.
    options = StackOptions(
        data_dir=data, only=_SERVERS | {"gateway"}, longest_pause=_LONGEST_PAUSE
    )
    servers, stop = _Servers(options), asyncio.Event()
    async with AsyncExitStack() as closing:
        ready = await servers.start()
        closing.push_async_callback(servers.stop)
        watching = asyncio.create_task(servers.run_until(stop))
        closing.push_async_callback(_end, watching, stop)
        layout = servers.layout
        ports = choose_ports(
            _port_names(), kept_in=data / "more-ports.json", demanded={}
        )
        proxies = await _open_proxies(closing, layout, ports, receiver_port)
        keeper = Keeper(logs=DataFolder(data).logs, journal=journal)
        stack = Stack(
            ready, keeper, proxies, servers, secrets.token_hex(8), data / "tmp"
        )
        stack.scratch.mkdir(mode=0o700)
        _start_all(stack, layout, ports, engine_seconds=engine_seconds, extra=extra)
        closing.push_async_callback(keeper.stop)
        await keeper.ready()
        yield stack


def _port_names() -> list[str]:
    return [*ENGINES, *_names()]


def _names() -> list[str]:
    return [f"{kind}-{n + 1}" for kind, many in PROCESSES.items() for n in range(many)]


async def _open_proxies(
    closing: AsyncExitStack,
    layout: Layout,
    ports: Mapping[str, int],
    receiver_port: int,
) -> dict[str, Proxy]:
    targets = {f"postgres-{kind}": layout.ports["postgres"] for kind in PROCESSES}
    targets |= {"valkey": layout.ports["valkey"], "receiver": receiver_port}
    targets |= {name: ports[name] for name in ENGINES}
    targets |= {name: ports[name] for name in _names() if name.startswith("gateway")}
    proxies = {name: Proxy(HOST, port) for name, port in targets.items()}
    for proxy in proxies.values():
        await closing.enter_async_context(proxy)
    return proxies


def _start_all(
    stack: Stack,
    layout: Layout,
    ports: Mapping[str, int],
    *,
    engine_seconds: float,
    extra: Mapping[str, str],
) -> None:
    marked = {"CHAOS_RUN": stack.mark, "TMPDIR": str(stack.scratch)}
    for name in ENGINES:
        arguments = (str(ports[name]), str(engine_seconds))
        stack.keeper.add(
            name,
            "tests.chaos.engine",
            *arguments,
            environment=marked,
            port=ports[name],
            health_path=None,
        )
    for name in _names():
        kind = name.rpartition("-")[0]
        told = _environment(layout, kind, stack.proxies, port=ports[name])
        stack.keeper.add(
            name,
            _MODULES[kind],
            environment={**told, **marked, **extra, "CHAOS_NAME": name},
            port=ports[name],
        )
        if kind == "gateway":
            stack.gateways.append(f"http://{HOST}:{stack.proxies[name].port}")


def _environment(
    layout: Layout, kind: str, proxies: Mapping[str, Proxy], *, port: int
) -> dict[str, str]:
    """What the local stack tells such a process, by way of the proxies."""
    through = {
        layout.ports["postgres"]: proxies[f"postgres-{kind}"].port,
        layout.ports["valkey"]: proxies["valkey"].port,
    }
    told = dict(layout.service(kind).command.environment)
    for near, far in through.items():
        for name, value in told.items():
            told[name] = value.replace(f"{HOST}:{near}", f"{HOST}:{far}")
    engines = ",".join(f"http://{HOST}:{proxies[name].port}" for name in ENGINES)
    return told | {
        **_SHORT,
        "PRECIS_REALTIME_ENGINE_URLS": engines,
        "PRECIS_BATCH_ENGINE_URLS": engines,
        "PRECIS_GATEWAY_PORT": str(port),
        "PRECIS_HEALTH_PORT": str(port),
    }


async def _end(watching: asyncio.Task[None], stop: asyncio.Event) -> None:
    stop.set()
    with suppress(asyncio.CancelledError):
        await watching
