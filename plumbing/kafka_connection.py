"""How every Kafka client of ours connects, and what remains when it cannot.

The library's constructors connect, and leave a thread and its sockets behind when that
fails: a process that tries again for an hour would drown in them. So what such an
attempt has built is closed here. This file gets the library passed in and does not
import it.
"""

from collections.abc import Callable
from typing import Any, Final, TypeVar

from plumbing.settings import KafkaSettings

_BOOTSTRAP_MS: Final = 3_000

T = TypeVar("T")


def connect(kind: Callable[..., T], settings: KafkaSettings, **options: Any) -> T:
    """Build one of the library's clients, or nothing at all."""
    net_client = kind.DEFAULT_CONFIG["kafka_client"]  # type: ignore[attr-defined]
    built: list[Any] = []

    def build_net_client(**config: Any) -> Any:
        built.append(net_client(**config))
        return built[-1]

    try:
        return kind(**_address(settings), kafka_client=build_net_client, **options)
    except BaseException:
        for each in built:
            each.close()
        raise


def _address(settings: KafkaSettings) -> dict[str, Any]:
    password = settings.kafka_sasl_password
    return {
        "bootstrap_servers": settings.kafka_bootstrap.split(","),
        "bootstrap_timeout_ms": _BOOTSTRAP_MS,
        "security_protocol": settings.kafka_security_protocol,
        "ssl_cafile": settings.kafka_ssl_cafile,
        "sasl_mechanism": settings.kafka_sasl_mechanism,
        "sasl_plain_username": settings.kafka_sasl_username,
        "sasl_plain_password": password and password.get_secret_value(),
    }
