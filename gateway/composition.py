"""Builds what the gateway works with, and takes it down again: the composition root.

Tests use the same door as the process, so what they try is what runs.
"""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import timedelta
from typing import Final

from gateway.context import Gateway
from gateway.parts.authentication import KeyRing
from gateway.parts.backlog import Backlog, Limits
from gateway.parts.bodies import BodyReader
from gateway.parts.engines import RealtimeEngines
from gateway.parts.pauses import Pauses
from gateway.parts.recording import Recorder
from gateway.parts.watcher import Watcher
from gateway.settings import GatewaySettings
from jobs.store.backlog_store import Load
from plumbing.database import Database
from plumbing.sealing import MasterKey

# Each takes milliseconds; a caller is better told to come back than left to wait.
_LONGEST_STATEMENT: Final = timedelta(seconds=5)


@asynccontextmanager
async def open_gateway(settings: GatewaySettings) -> AsyncIterator[Gateway]:
    """Open the database and look for engines; neither has to answer yet."""
    pepper = settings.key_pepper.get_secret_value().encode()
    database = Database(
        settings.database_url.get_secret_value(),
        pool_size=settings.database_pool_size,
        statement_timeout=_LONGEST_STATEMENT,
        application="precis-gateway",
        told_apart=True,
    )
    engines = RealtimeEngines(settings)
    watcher = Watcher(database)
    pauses = Pauses(database)
    backlog = Backlog(database, limits=_limits(settings))
    try:
        pauses.start()
        backlog.start()
        await engines.start()
        yield Gateway(
            settings=settings,
            database=database,
            master_key=MasterKey(*settings.master_keys),
            pepper=pepper,
            key_ring=KeyRing(database, pepper=pepper),
            engines=engines,
            recorder=Recorder(database),
            watcher=watcher,
            pauses=pauses,
            backlog=backlog,
            bodies=BodyReader(
                max_bytes=settings.body_max_bytes, all_bytes=settings.bodies_max_bytes
            ),
        )
    finally:
        await backlog.close()
        await pauses.close()
        await watcher.close()
        await engines.stop()
        await database.close()


def _limits(settings: GatewaySettings) -> Limits:
    return Limits(
        tenant=Load(settings.tenant_waiting_jobs, settings.tenant_waiting_bytes),
        whole=Load(settings.waiting_jobs, settings.waiting_bytes),
    )
