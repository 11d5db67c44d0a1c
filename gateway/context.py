"""What the endpoints work with: built once at the root, found on `app.state.gateway`.

A plain record. Who builds and closes its parts is `composition`'s matter.
"""

from dataclasses import dataclass
from datetime import timedelta
from typing import Protocol
from uuid import UUID

from fastapi import Request

from gateway.authentication import KeyRing
from gateway.engines import RealtimeEngines
from gateway.recording import Recorder
from gateway.settings import GatewaySettings
from jobs.lifecycle import State
from plumbing.database import Database
from plumbing.sealing import MasterKey


class Watcher(Protocol):
    """Tells when a job has ended; one for all who wait in this process."""

    async def wait_final(self, job_id: UUID, timeout: timedelta) -> State | None: ...  # noqa: ASYNC109  shared by all who wait


@dataclass(frozen=True, slots=True, kw_only=True)
class Gateway:
    settings: GatewaySettings
    database: Database
    master_key: MasterKey
    pepper: bytes
    """Keys the HMACs of API keys; other secrets of the gateway are derived from it."""
    key_ring: KeyRing
    engines: RealtimeEngines
    recorder: Recorder
    watcher: Watcher


def gateway_of(request: Request) -> Gateway:
    gateway: Gateway = request.app.state.gateway
    return gateway
