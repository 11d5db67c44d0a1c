"""What a process is told from outside: the only place that reads the environment.

Each service composes its own settings from the groups below and reads them once, at
its root, with `read_settings`; everything further down gets values passed to it.
Secrets are `SecretStr`, and no error made here repeats a value. What a value means to
the part it configures is checked by that part.
"""

import logging
import os
from collections.abc import Mapping
from contextlib import suppress
from datetime import timedelta
from ipaddress import IPv4Network, IPv6Network
from typing import Annotated, Any, Literal, TypeVar
from urllib.parse import urlsplit

from pydantic import (
    AfterValidator,
    BeforeValidator,
    DirectoryPath,
    Field,
    SecretStr,
    ValidationError,
    ValidationInfo,
    field_validator,
)
from pydantic_settings import BaseSettings, NoDecode, SettingsConfigDict

PREFIX = "PRECIS_"


class SettingsRefused(Exception):
    """The environment does not make sense; the message names each variable."""


def _split(value: Any) -> Any:
    if not isinstance(value, str):
        return value
    return tuple(part.strip() for part in value.split(",") if part.strip())


def _check_engine_url(url: str) -> str:
    parts = urlsplit(url)
    if parts.scheme not in {"http", "https"} or not parts.hostname:
        raise ValueError("an engine's address begins with http:// or https://")
    return url


def _upper(value: Any) -> Any:
    return value.upper() if isinstance(value, str) else value


def _check_level(level: str) -> str:
    if level not in logging.getLevelNamesMapping():
        raise ValueError("one of DEBUG, INFO, WARNING, ERROR, CRITICAL is expected")
    return level


def _as_span(value: Any) -> Any:
    """A plain number means seconds; pydantic reads ISO 8601 and h:m:s itself."""
    if isinstance(value, str):
        with suppress(ValueError, OverflowError):
            return timedelta(seconds=float(value))
    return value


def _check_span(span: timedelta) -> timedelta:
    if span <= timedelta(0):
        raise ValueError("a span longer than nothing is expected, in seconds")
    return span


Span = Annotated[timedelta, BeforeValidator(_as_span), AfterValidator(_check_span)]
Keeping = Annotated[
    timedelta,
    BeforeValidator(_as_span),
    Field(ge=timedelta(0), le=timedelta(days=3650)),
]
"""How long something is kept; 0 lets it go at once."""
EngineUrl = Annotated[str, AfterValidator(_check_engine_url)]
# NoDecode: the variable holds a plain comma separated list, not JSON.
EngineUrls = Annotated[tuple[EngineUrl, ...], NoDecode, BeforeValidator(_split)]
Networks = Annotated[
    tuple[IPv4Network | IPv6Network, ...], NoDecode, BeforeValidator(_split)
]
LogLevel = Annotated[str, BeforeValidator(_upper), AfterValidator(_check_level)]
Port = Annotated[int, Field(ge=0, le=65535)]


class ServiceSettings(BaseSettings):
    """What every process has: how it logs and where it may be probed."""

    model_config = SettingsConfigDict(
        env_prefix=PREFIX,
        env_nested_delimiter="__",
        env_ignore_empty=True,  # compose files pass unset variables on as ""
        extra="ignore",
        frozen=True,
        hide_input_in_errors=True,  # the input may be a secret
    )

    log_level: LogLevel = "INFO"
    log_format: Literal["auto", "json", "console"] = "auto"
    health_host: str = "127.0.0.1"
    health_port: Port = 0
    """0 takes any free port; the process logs which one."""
    environment: Literal["production", "test"] = "production"
    failpoints: DirectoryPath | None = None
    """The folder in which a test names the faults that it wants (see `failpoints`)."""

    @field_validator("failpoints")
    @classmethod
    def _refuse_faults_in_production(
        cls, folder: DirectoryPath | None, others: ValidationInfo
    ) -> DirectoryPath | None:
        if folder is not None and others.data.get("environment") != "test":
            raise ValueError("only together with PRECIS_ENVIRONMENT=test")
        return folder


class DatabaseSettings(ServiceSettings):
    database_url: SecretStr
    """postgresql://user:password@host:port/name"""
    database_pool_size: int = Field(default=8, ge=1)


class KafkaSettings(ServiceSettings):
    kafka_bootstrap: str = "127.0.0.1:9092"
    kafka_topic: str = "precis.jobs"
    kafka_dead_letter_topic: str = "precis.jobs.dead-letter"
    kafka_group: str = "precis-dispatcher"
    kafka_security_protocol: Literal[
        "PLAINTEXT", "SSL", "SASL_PLAINTEXT", "SASL_SSL"
    ] = "PLAINTEXT"
    kafka_sasl_mechanism: Literal["PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512"] | None = (
        None
    )
    kafka_sasl_username: str | None = None
    kafka_sasl_password: SecretStr | None = None
    kafka_ssl_cafile: str | None = None


class BrokerSettings(ServiceSettings):
    redis_url: SecretStr = SecretStr("redis://127.0.0.1:6379/0")


class EngineSettings(ServiceSettings):
    """Where the engines of each tier are; an empty list is a tier without a pool."""

    realtime_engine_urls: EngineUrls = ()
    batch_engine_urls: EngineUrls = ()
    engine_model: str | None = None
    engine_context: int | None = Field(default=None, ge=256)
    """In tokens; what the engines say about themselves where this is absent."""
    engine_api_key: SecretStr | None = None


class MasterKeySettings(ServiceSettings):
    master_key: SecretStr
    """Base64 of 32 bytes; wraps the key of each job."""
    master_key_previous: SecretStr | None = None
    """Older ones, comma separated: what they wrapped is opened, nothing is sealed."""

    @property
    def master_keys(self) -> tuple[str, ...]:
        """The key that seals, then those that only open."""
        older = self.master_key_previous
        previous = older.get_secret_value().split(",") if older else []
        return (self.master_key.get_secret_value(), *map(str.strip, previous))


class SecretSettings(MasterKeySettings):
    key_pepper: SecretStr
    """Keys the HMAC under which API keys are stored."""


Settings = TypeVar("Settings", bound=ServiceSettings)


def read_settings(kind: type[Settings], **told: Any) -> Settings:
    """Read the environment, or raise `SettingsRefused` with a line per variable.

    What is `told` wins over the environment.
    """
    try:
        return kind(**told)
    except ValidationError as error:
        lines = [_tell(dict(problem)) for problem in error.errors(include_url=False)]
        # `from None`: the cause would bring a trace that says the same less well.
        raise SettingsRefused("\n".join(lines)) from None


def list_told() -> set[str]:
    """The names of ours in the environment, known or not; values are not looked at."""
    return {name.upper() for name in os.environ if name.upper().startswith(PREFIX)}


def _tell(problem: Mapping[str, Any]) -> str:
    name = PREFIX + "__".join(str(part) for part in problem["loc"]).upper()
    return f"{name}: {problem['msg']}"
