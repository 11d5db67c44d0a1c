"""Opens a `Tier`: its servers, the lines before them, its processes, its witnesses."""

import asyncio
import shutil
from collections.abc import AsyncIterator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from pathlib import Path
from typing import Any, Final

import psycopg
from sqlalchemy.engine import make_url

from benchmarks.stub_engine import SUMMARY
from deploy.local.cache import cache_folder
from deploy.local.data_folder import DataFolder, open_folder
from deploy.local.parts import HOST
from deploy.local.port_choice import choose_ports
from deploy.local.secret_files import SecretFiles
from deploy.local.supervisor import Supervisor
from deploy.local.valkey_server import ValkeyServer
from plumbing.database import Database
from tests.builders import a_tenant
from tests.chaos.evidence import OBSERVED, WEBHOOKS
from tests.chaos.journal import Journal
from tests.chaos.observer import Observer
from tests.chaos.receiver import Receiver
from tests.faults.own_server import KafkaBehindProxy, OwnServer
from tests.faults.proxy import Proxy
from tests.faults.tier import KINDS, Tier
from tests.fixtures.database import MASTER_KEY, PEPPER, login_url
from tests.fixtures.processes import Processes
from tests.fixtures.servers import make_root
from tests.scripted_engine import Call, ScriptedEngine, completion, scripted_engine

_PORTS: Final = ("valkey", "kafka", "kafka-controller")
_TOPICS: Final = ("jobs", "dead")
_SHORT: Final = {
    "PRECIS_ENVIRONMENT": "test",
    "PRECIS_MASTER_KEY": MASTER_KEY,
    "PRECIS_KEY_PEPPER": PEPPER,
    "PRECIS_WEBHOOK_ALLOW_NETWORKS": f"{HOST}/32",
    "PRECIS_JOB_LEASE": "2",
    "PRECIS_DELIVERY_LEASE": "2",
    "PRECIS_RECONCILE_INTERVAL": "0.1",
    "PRECIS_HINT_PATIENCE": "0.3",
    "PRECIS_STOP_GRACE": "1",
    "PRECIS_DATABASE_POOL_SIZE": "4",
    "PRECIS_ENGINE_CONTEXT": "1024",
    "PRECIS_WORKER_THREADS": "4",
    "PRECIS_LOG_FORMAT": "json",
}


class _PatientReceiver(Receiver):
    """Receivers make no trouble here."""

    def _choose(self, event: str) -> str:
        del event
        return "accepted"


@asynccontextmanager
async def open_tier(
    postgres_url: str, template_url: str, folder: Path
) -> AsyncIterator[Tier]:
    """Everything is started and ready; at the end nothing is left."""
    database_url = _clone(postgres_url, template_url, name=f"tier_{folder.name}")
    root = make_root()
    data, processes = open_folder(root), Processes(folder)
    async with AsyncExitStack() as closing:
        closing.callback(shutil.rmtree, root, ignore_errors=True)
        engine = await closing.enter_async_context(scripted_engine())
        receiver = await closing.enter_async_context(
            _PatientReceiver(Journal(folder / WEBHOOKS), seed=0)
        )
        database = Database(database_url, pool_size=4)
        closing.push_async_callback(database.close)
        servers = _Servers(data)
        closing.push_async_callback(servers.stop)
        lines = await servers.start(closing, postgres_url, engine)
        gate = asyncio.Event()
        engine.answer = _summarize_when(gate)
        tier = Tier(
            database,
            database_url,
            await a_tenant(database),
            _SHORT | _addresses(servers, lines, engine) | _failpoints(folder),
            processes,
            folder,
            receiver.port,
            gate,
            engine=engine,
            valkey=servers.valkey,
            kafka=servers.kafka,
            lines=lines,
            topics=_TOPICS,
            logins={
                kind: lines[f"postgres-{kind}"].url(login_url(database_url, kind))
                for kind in KINDS
            },
        )
        gate.set()
        await closing.enter_async_context(_watched(database_url, folder))
        closing.push_async_callback(asyncio.to_thread, processes.stop)
        await tier.make_topics()
        await asyncio.gather(
            tier.start("dispatcher"),
            tier.start("dispatcher"),
            tier.start("worker"),
            tier.start("worker"),
            tier.start("notifier"),
        )
        yield tier


class _Servers:
    """Valkey and Kafka, and a proxy before each of them, Postgres and the engine."""

    def __init__(self, folder: DataFolder) -> None:
        self._supervisor = Supervisor(folder, on_progress=lambda _name, _state: None)
        self._folder = folder
        self._ports = choose_ports(_PORTS, kept_in=folder.ports, demanded={})

    async def start(
        self, closing: AsyncExitStack, postgres_url: str, engine: ScriptedEngine
    ) -> Mapping[str, Proxy]:
        lines = {name: Proxy(HOST, self._ports[name]) for name in ("valkey", "kafka")}
        lines |= {f"postgres-{kind}": Proxy.before(postgres_url) for kind in KINDS}
        lines["engine"] = Proxy.before(engine.url)
        for proxy in lines.values():
            await closing.enter_async_context(proxy)
        self._make(advertised_port=lines["kafka"].port)
        # One after the other: the supervisor forks from the main thread alone.
        await self.valkey.start()
        await self.kafka.start()
        return lines

    def _make(self, *, advertised_port: int) -> None:
        password = SecretFiles(self._folder.secrets).valkey_password
        ours: dict[str, Any] = {"supervisor": self._supervisor, "folder": self._folder}
        valkey = ValkeyServer(
            folder=self._folder, port=self._ports["valkey"], password=password
        )
        kafka = KafkaBehindProxy(
            folder=self._folder,
            port=self._ports["kafka"],
            controller_port=self._ports["kafka-controller"],
            cache=cache_folder(),
            advertised_port=advertised_port,
        )
        self.valkey_url = valkey.url
        self.valkey = OwnServer(valkey, name="valkey", **ours)
        self.kafka = OwnServer(kafka, name="kafka", **ours)

    async def stop(self) -> None:
        await self._supervisor.stop(["valkey", "kafka"])
        self._supervisor.close()


def _clone(postgres_url: str, template_url: str, *, name: str) -> str:
    template = make_url(template_url).database
    with psycopg.connect(postgres_url, autocommit=True) as connection:
        connection.execute(f'CREATE DATABASE "{name}" TEMPLATE {template}'.encode())
    url = make_url(postgres_url).set(database=name)
    return url.render_as_string(hide_password=False)


def _addresses(
    servers: _Servers, lines: Mapping[str, Proxy], engine: ScriptedEngine
) -> dict[str, str]:
    return {
        "PRECIS_REDIS_URL": lines["valkey"].url(servers.valkey_url),
        "PRECIS_KAFKA_BOOTSTRAP": f"{HOST}:{lines['kafka'].port}",
        "PRECIS_KAFKA_TOPIC": _TOPICS[0],
        "PRECIS_KAFKA_DEAD_LETTER_TOPIC": _TOPICS[1],
        "PRECIS_BATCH_ENGINE_URLS": lines["engine"].url(engine.url),
    }


def _failpoints(folder: Path) -> dict[str, str]:
    faults = folder / "faults"
    faults.mkdir()
    return {"PRECIS_FAILPOINTS": str(faults)}


def _summarize_when(gate: asyncio.Event) -> Any:
    async def summarize(_: Call) -> tuple[int, dict[str, Any]]:
        await gate.wait()
        return completion(SUMMARY)

    return summarize


@asynccontextmanager
async def _watched(database_url: str, folder: Path) -> AsyncIterator[None]:
    observer = Observer(database_url, Journal(folder / OBSERVED))
    watching = asyncio.create_task(observer.watch())
    try:
        yield
    finally:
        watching.cancel()
        with suppress(asyncio.CancelledError):
            await watching
