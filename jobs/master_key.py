"""Whether this process has the master key of its database: asked once, at the start.

With a wrong key a gateway would accept texts that nobody can open, and a worker would
open none. While the database is away there is nothing to be asked, and nothing to do.
"""

import asyncio
from datetime import timedelta
from typing import Final

import structlog

from jobs.store.canary_store import check_master_key
from plumbing.database import Database, DatabaseUnavailable
from plumbing.process import sleep_or_stop
from plumbing.sealing import MasterKey

_PAUSE: Final = timedelta(milliseconds=500)

log = structlog.get_logger()


async def require_master_key(
    database: Database, master_key: MasterKey, *, stop: asyncio.Event
) -> None:
    """Ask until the database answers, or until stopped; raises `MasterKeyWrong`."""
    while not stop.is_set():
        try:
            async with database.statement() as tx:
                await check_master_key(tx, master_key)
        except DatabaseUnavailable as error:
            log.warning("master_key.unchecked", error=str(error))
            await sleep_or_stop(stop, _PAUSE)
        else:
            return
