"""Our own processes as parts of the stack: what each is told, by environment alone.

One environment serves all of them but for the database user, each kind having its own;
each reads from it what its settings name. Their code is none of this package's
business: they are started by module name, as anywhere.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import timedelta

from deploy.local.commands import Command, python_module
from deploy.local.parts import HOST, Part, http_ready

MODULES = {
    "gateway": "gateway",
    "dispatcher": "workers.dispatcher",
    "worker": "workers.batch",
    "notifier": "notifier",
}
ENGINES = ("engine-realtime", "engine-batch")
SENDER = "precis@localhost"


@dataclass(frozen=True, kw_only=True)
class EngineChoice:
    """The engines of the stack: the embedded ones, or one server from outside."""

    url: str | None = None
    model: str | None = None
    context: int | None = None
    api_key: str | None = field(default=None, repr=False)


@dataclass(frozen=True, kw_only=True)
class Surroundings:
    """Where our processes find everything they talk to."""

    url: str
    gateway_port: int
    database_url: str = field(repr=False)
    redis_url: str = field(repr=False)
    kafka: Mapping[str, str]
    smtp_port: int
    realtime_engine_url: str
    batch_engine_url: str
    engine: EngineChoice
    master_key: str = field(repr=False)
    key_pepper: str = field(repr=False)

    def environment(self) -> dict[str, str]:
        return {
            "PRECIS_DATABASE_URL": self.database_url,
            "PRECIS_REDIS_URL": self.redis_url,
            **self.kafka,
            **self._mail(),
            **self._engines(),
            "PRECIS_MASTER_KEY": self.master_key,
            "PRECIS_KEY_PEPPER": self.key_pepper,
            "PRECIS_GATEWAY_HOST": HOST,
            "PRECIS_GATEWAY_PORT": str(self.gateway_port),
            "PRECIS_PUBLIC_URL": self.url,
            # So that a receiver on this machine can be tried; nothing else is opened.
            "PRECIS_WEBHOOK_ALLOW_NETWORKS": f"{HOST}/32",
        }

    def _mail(self) -> dict[str, str]:
        return {
            "PRECIS_SMTP_HOST": HOST,
            "PRECIS_SMTP_PORT": str(self.smtp_port),
            "PRECIS_SMTP_SECURITY": "none",
            "PRECIS_MAIL_FROM": SENDER,
        }

    def _engines(self) -> dict[str, str]:
        told = {
            "PRECIS_REALTIME_ENGINE_URLS": self.realtime_engine_url,
            "PRECIS_BATCH_ENGINE_URLS": self.batch_engine_url,
            "PRECIS_ENGINE_MODEL": self.engine.model,
            "PRECIS_ENGINE_CONTEXT": self.engine.context,
            "PRECIS_ENGINE_API_KEY": self.engine.api_key,
        }
        return {name: str(value) for name, value in told.items() if value}


def service_part(name: str, *, environment: Mapping[str, str], port: int) -> Part:
    """Describe one of our processes; `port` is where it may be probed."""
    return Part(
        name=name,
        command=Command(
            argv=python_module(MODULES[name]),
            environment={**environment, "PRECIS_HEALTH_PORT": str(port)},
        ),
        is_ready=http_ready(port, "/readyz"),
    )


def engine_part(name: str, *, port: int) -> Part:
    arguments = ("--profile", "embedded", "--host", HOST, "--port", str(port))
    return Part(
        name=name,
        command=Command(argv=python_module("realtime.engine", *arguments)),
        is_ready=http_ready(port, "/health"),
        stop_within=timedelta(seconds=20),
    )


def health_url(name: str, port: int) -> str:
    path = "/health" if name in ENGINES else "/healthz"
    return f"http://{HOST}:{port}{path}"
