"""What the endpoints work with: built once at the root, found on `app.state.gateway`.

A plain record. Who builds and closes its parts is `composition`'s matter.
"""

from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from typing import Final
from uuid import UUID

from fastapi import Request

from gateway.parts.authentication import KeyRing
from gateway.parts.backlog import Backlog
from gateway.parts.bodies import BodyReader
from gateway.parts.engines import RealtimeEngines
from gateway.parts.pauses import Pauses
from gateway.parts.recording import Recorder
from gateway.parts.watcher import Watcher
from gateway.settings import GatewaySettings
from plumbing.database import Database, Transaction
from plumbing.sealing import MasterKey

_CALLER: Final = "precis_caller"
"""The role that reads and cancels for callers; `migrations.rights` says what it may."""


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
    pauses: Pauses
    backlog: Backlog
    bodies: BodyReader

    def for_tenant(self, tenant_id: UUID) -> AbstractAsyncContextManager[Transaction]:
        """The one door to what callers own: row security shows them nothing else."""
        return self.database.for_tenant(tenant_id, role=_CALLER)


def gateway_of(request: Request) -> Gateway:
    gateway: Gateway = request.app.state.gateway
    return gateway
