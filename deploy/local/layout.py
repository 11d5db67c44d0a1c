"""One stack laid out: its ports, its secrets, its addresses, its parts.

Pure wiring over the data folder; nothing is started here. Ports and secrets come from
the folder, so that the next start has the same ones.
"""

from collections.abc import Mapping
from dataclasses import dataclass

from deploy.local.cache import cache_folder
from deploy.local.data_folder import DataFolder
from deploy.local.kafka_server import KafkaServer
from deploy.local.parts import HOST, Part, Server
from deploy.local.port_choice import choose_ports
from deploy.local.postgres_server import PostgresServer
from deploy.local.ready import EnginesReady, KafkaReady, Ready
from deploy.local.secret_files import SecretFiles
from deploy.local.services import (
    ENGINES,
    MODULES,
    EngineChoice,
    Surroundings,
    engine_part,
    health_url,
    service_part,
)
from deploy.local.smtp_server import SmtpServer
from deploy.local.valkey_server import ValkeyServer

SERVERS = ("postgres", "valkey", "kafka", "smtp")
_TOPIC = "precis.jobs"
_DEAD_LETTER_TOPIC = "precis.jobs.dead-letter"
_REALTIME, _BATCH = ENGINES


@dataclass(frozen=True, kw_only=True)
class Layout:
    folder: DataFolder
    engine: EngineChoice
    ports: Mapping[str, int]

    @property
    def url(self) -> str:
        return f"http://{HOST}:{self.ports['gateway']}"

    @property
    def owner_environment(self) -> dict[str, str]:
        """What those are told who make the tables and the logins."""
        return self._environment(self._postgres.url())

    def environment(self, kind: str) -> dict[str, str]:
        """What a process is told; it logs in to the database as its own kind."""
        password = SecretFiles(self.folder.secrets).login_password(kind)
        return self._environment(self._postgres.login_url(kind, password))

    def _environment(self, database_url: str) -> dict[str, str]:
        secrets = SecretFiles(self.folder.secrets)
        return Surroundings(
            url=self.url,
            gateway_port=self.ports["gateway"],
            database_url=database_url,
            redis_url=self._valkey.url,
            kafka={
                "PRECIS_KAFKA_BOOTSTRAP": self._kafka.bootstrap,
                "PRECIS_KAFKA_TOPIC": _TOPIC,
                "PRECIS_KAFKA_DEAD_LETTER_TOPIC": _DEAD_LETTER_TOPIC,
            },
            smtp_port=self.ports["smtp"],
            realtime_engine_url=self._engine_url(_REALTIME),
            batch_engine_url=self._engine_url(_BATCH),
            engine=self.engine,
            master_key=secrets.master_key,
            key_pepper=secrets.key_pepper,
        ).environment()

    async def server(self, name: str) -> Part:
        """Describe a server or an embedded engine, its data folder made and filled."""
        if name in ENGINES:
            return engine_part(name, port=self.ports[name])
        launchers: dict[str, Server] = {
            "postgres": self._postgres,
            "valkey": self._valkey,
            "kafka": self._kafka,
            "smtp": self._smtp,
        }
        return await launchers[name].prepare()

    def service(self, name: str) -> Part:
        environment = self.environment(name)
        return service_part(name, environment=environment, port=self.ports[name])

    def ready(self, pids: Mapping[str, int]) -> Ready:
        secrets = SecretFiles(self.folder.secrets)
        return Ready(
            url=self.url,
            api_key=secrets.find("api_key") or "",
            webhook_secret=secrets.find("webhook_secret") or "",
            database_url=self._postgres.url(),
            kafka=KafkaReady(
                bootstrap=self._kafka.bootstrap,
                topic=_TOPIC,
                dead_letter_topic=_DEAD_LETTER_TOPIC,
            ),
            redis_url=self._valkey.url,
            smtp=self._smtp.address,
            mail_dir=str(self._smtp.mail_folder),
            engines=EnginesReady(
                realtime=self._engine_url(_REALTIME), batch=self._engine_url(_BATCH)
            ),
            health={
                name: health_url(name, self.ports[name])
                for name in (*ENGINES, *MODULES)
                if name in pids
            },
            pids=dict(pids),
        )

    def _engine_url(self, name: str) -> str:
        return self.engine.url or f"http://{HOST}:{self.ports[name]}"

    @property
    def _postgres(self) -> PostgresServer:
        return PostgresServer(
            folder=self.folder,
            port=self.ports["postgres"],
            password=SecretFiles(self.folder.secrets).postgres_password,
        )

    @property
    def _valkey(self) -> ValkeyServer:
        return ValkeyServer(
            folder=self.folder,
            port=self.ports["valkey"],
            password=SecretFiles(self.folder.secrets).valkey_password,
        )

    @property
    def _kafka(self) -> KafkaServer:
        return KafkaServer(
            folder=self.folder,
            port=self.ports["kafka"],
            controller_port=self.ports["kafka-controller"],
            cache=cache_folder(),
        )

    @property
    def _smtp(self) -> SmtpServer:
        return SmtpServer(folder=self.folder, port=self.ports["smtp"])


def lay_out(
    folder: DataFolder, *, engine: EngineChoice, gateway_port: int = 0
) -> Layout:
    """Choose the ports of all parts, of those too that this run leaves out."""
    ports = choose_ports(
        (*SERVERS, "kafka-controller", *ENGINES, *MODULES),
        kept_in=folder.ports,
        demanded={"gateway": gateway_port} if gateway_port else {},
    )
    return Layout(folder=folder, engine=engine, ports=ports)
