"""What the endpoints work with: built once at the root, found on `app.state.gateway`.

A plain record. Who builds and closes its parts is `composition`'s matter.
"""

from dataclasses import dataclass

from fastapi import Request

from gateway.parts.authentication import KeyRing
from gateway.parts.bodies import BodyReader
from gateway.parts.engines import RealtimeEngines
from gateway.parts.pauses import Pauses
from gateway.parts.recording import Recorder
from gateway.parts.watcher import Watcher
from gateway.settings import GatewaySettings
from plumbing.database import Database
from plumbing.sealing import MasterKey


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
    bodies: BodyReader


def gateway_of(request: Request) -> Gateway:
    gateway: Gateway = request.app.state.gateway
    return gateway
