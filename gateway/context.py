"""What the endpoints work with: built once at the root, found on `app.state.gateway`.

A plain record. Who builds and closes its parts is `composition`'s matter.
"""

from dataclasses import dataclass

from fastapi import Request

from gateway.authentication import KeyRing
from gateway.bodies import BodyReader
from gateway.engines import RealtimeEngines
from gateway.recording import Recorder
from gateway.settings import GatewaySettings
from gateway.watcher import Watcher
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
    bodies: BodyReader


def gateway_of(request: Request) -> Gateway:
    gateway: Gateway = request.app.state.gateway
    return gateway
