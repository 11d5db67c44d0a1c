"""Webhook endpoints and what was delivered to them, as frozen values."""

from dataclasses import dataclass, field
from datetime import datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class WebhookEndpoint:
    """A registered receiver. `secret` is told by `create` and `rotate` alone."""

    id: str
    url: str
    description: str
    status: str
    disabled_reason: str | None
    created_at: datetime
    rotated_at: datetime | None
    secret: str | None = field(default=None, repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class DeliveryAttempt:
    """One try; `code` is the receiver's status, `error` what kept it from one."""

    number: int
    started_at: datetime
    finished_at: datetime
    code: int | None
    error: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Delivery:
    """One event on its way to one receiver."""

    id: str
    event_id: str
    event_type: str
    summary_id: str
    kind: str
    endpoint_id: str | None
    receiver: str | None = field(repr=False)
    status: str
    next_at: datetime | None
    replay_of: str | None
    created_at: datetime
    finished_at: datetime | None
    attempts: tuple[DeliveryAttempt, ...]
