"""What every benchmark stands on: real servers on disk, tables, a tenant, a stub engine.

The servers are those of `precis up`, with the settings that users get: fsync is on.
Our own processes are started by the benchmarks themselves, where and when they wish;
each logs in to the database as that of `precis up` does. Peers, and the benchmarks' own
hand that fills and empties tables, are their owner.
"""

import shutil
import tempfile
from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from sqlalchemy.engine import make_url

from benchmarks.children import CLIENT_CORE, Child, Children
from deploy.local.data_folder import DataFolder
from deploy.local.port_choice import choose_ports
from deploy.local.preparation import Preparation
from deploy.local.ready import Ready
from deploy.local.secret_files import SecretFiles
from deploy.local.services import MODULES, EngineChoice, Surroundings
from deploy.local.stack import LocalStack, StackOptions
from migrations.logins import LOGINS
from plumbing.database import Database
from plumbing.sealing import MasterKey

_SERVERS: Final = frozenset({"postgres", "valkey", "kafka"})
_PORTS: Final = ("engine", "gateway", "peer", "worker-health", "dispatcher-health")


@dataclass
class _ChildrenWithLogins(Children):
    """Our own processes may do in the database what their role may, and no more."""

    logins: Mapping[str, str] = field(default_factory=dict, repr=False)
    """By module: the address of the database."""

    @contextmanager
    def start(
        self,
        module: str,
        *arguments: str,
        core: int | None = None,
        environment: Mapping[str, str] | None = None,
    ) -> Iterator[Child]:
        login = self.logins.get(module)
        told = {"PRECIS_DATABASE_URL": login} if login else {}
        told |= environment or {}
        with super().start(module, *arguments, core=core, environment=told) as child:
            yield child


@dataclass(frozen=True, kw_only=True)
class Bench:
    ready: Ready
    ports: dict[str, int]
    children: Children
    engine: Child
    database: Database
    master_key: MasterKey
    api_key: str = field(repr=False)


@asynccontextmanager
async def open_bench() -> AsyncIterator[Bench]:
    root = _make_root()
    stack = LocalStack(StackOptions(data_dir=root / "data", only=_SERVERS))
    try:
        ready = await stack.start()
        async with _furnished(DataFolder(root / "data"), ready, root) as bench:
            yield bench
    finally:
        await stack.stop()
        shutil.rmtree(root, ignore_errors=True)


def _make_root() -> Path:
    root = Path(tempfile.mkdtemp(prefix="precis-bench-"))
    root.chmod(0o711)  # started as root, Postgres runs as another user
    return root


@asynccontextmanager
async def _furnished(
    folder: DataFolder, ready: Ready, root: Path
) -> AsyncIterator[Bench]:
    ports = choose_ports(_PORTS, kept_in=root / "ports.json", demanded={})
    secrets = SecretFiles(folder.secrets)
    environment = _environment(ready, ports, secrets)
    operator = {"PRECIS_DATABASE_URL": _login_url(ready, secrets, "operator")}
    preparation = Preparation(
        folder, owner=environment, operator=environment | operator
    )
    await preparation.make_tables()
    await preparation.make_logins()
    await preparation.make_tenant()
    logins = {MODULES[kind]: _login_url(ready, secrets, kind) for kind in MODULES}
    children = _ChildrenWithLogins(folder.logs, environment, logins)
    database = Database(ready.database_url, pool_size=4, application="benchmarks")
    port = str(ports["engine"])
    with children.start("benchmarks.stub_engine", port, core=CLIENT_CORE) as engine:
        await engine.ready(ports["engine"])
        yield Bench(
            ready=ready,
            ports=ports,
            children=children,
            engine=engine,
            database=database,
            master_key=MasterKey(secrets.master_key),
            api_key=secrets.find("api_key") or "",
        )
    await database.close()


def _login_url(ready: Ready, secrets: SecretFiles, kind: str) -> str:
    url = make_url(ready.database_url).set(
        username=LOGINS[kind].user, password=secrets.login_password(kind)
    )
    return url.render_as_string(hide_password=False)


def _environment(
    ready: Ready, ports: dict[str, int], secrets: SecretFiles
) -> dict[str, str]:
    engine_url = f"http://127.0.0.1:{ports['engine']}"
    return Surroundings(
        url=f"http://127.0.0.1:{ports['gateway']}",
        gateway_port=ports["gateway"],
        database_url=ready.database_url,
        redis_url=ready.redis_url,
        kafka={
            "PRECIS_KAFKA_BOOTSTRAP": ready.kafka.bootstrap,
            "PRECIS_KAFKA_TOPIC": ready.kafka.topic,
            "PRECIS_KAFKA_DEAD_LETTER_TOPIC": ready.kafka.dead_letter_topic,
        },
        smtp_port=0,
        realtime_engine_url=engine_url,
        batch_engine_url=engine_url,
        engine=EngineChoice(),
        master_key=secrets.master_key,
        key_pepper=secrets.key_pepper,
    ).environment()
