"""What the gateway is told by the environment; `docs/settings.md` explains it.

Read once, at the root (`__main__`), and passed down. Limits that a caller can run
into are named in the answers that refuse.
"""

from datetime import timedelta

from pydantic import Field

from plumbing.settings import (
    DatabaseSettings,
    EngineSettings,
    Networks,
    Port,
    SecretSettings,
    Span,
)


class GatewaySettings(DatabaseSettings, EngineSettings, SecretSettings):
    gateway_host: str = "127.0.0.1"
    gateway_port: Port = 8000
    """0 takes any free port; the process logs which one."""
    public_url: str | None = None
    """What `Location` begins with; the request's own host where it is absent."""

    realtime_max_tokens: int = Field(default=3000, ge=1)
    realtime_limit: Span = timedelta(seconds=10)
    """How long a realtime call may take before batch takes over."""
    realtime_max_in_flight: int = Field(default=64, ge=1)
    """Calls in flight at each engine; more are handed to batch or refused."""

    text_max_characters: int = Field(default=5_000_000, ge=1)
    body_max_bytes: int = Field(default=32_000_000, ge=1)
    bodies_max_bytes: int = Field(default=256_000_000, ge=1)
    """Memory for the bodies of all requests under way."""

    tenant_waiting_jobs: int = Field(default=100_000, ge=1)
    """How many jobs of one tenant may wait in batch; more are refused with 429."""
    tenant_waiting_bytes: int = Field(default=10_000_000_000, ge=1)
    waiting_jobs: int = Field(default=1_000_000, ge=1)
    """How many jobs may wait in all; more are refused with 503."""
    waiting_bytes: int = Field(default=50_000_000_000, ge=1)

    webhook_allow_networks: Networks = ()
    """Exempt from the https, port and address rules of webhook URLs."""
