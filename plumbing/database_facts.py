"""What Postgres says of itself: version, clock, who we are, and what vacuum is up against.

For whoever checks or watches the server. Every question is a glance at catalogs and
statistics, whatever the tables hold.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from sqlalchemy import text

from plumbing.database import Transaction


@dataclass(frozen=True, slots=True, kw_only=True)
class Server:
    version: str
    """As people write it."""
    number: int
    """Of the version: 150004 is 15.4."""
    now: datetime
    user: str
    is_superuser: bool
    only_reads: bool
    """A standby, or one that was told to accept no writes."""


_SERVER: Final = """
SELECT split_part(current_setting('server_version'), ' ', 1) AS version,
       current_setting('server_version_num')::int AS number,
       clock_timestamp() AS now, current_user AS "user",
       (SELECT rolsuper FROM pg_roles WHERE rolname = current_user) AS is_superuser,
       current_setting('transaction_read_only')::bool AS only_reads
"""


async def read_server(tx: Transaction) -> Server:
    row = (await tx.execute(text(_SERVER))).one()
    return Server(**row._mapping)  # noqa: SLF001 - SQLAlchemy's public name


_DEAD: Final = """
SELECT relname, n_dead_tup FROM pg_stat_user_tables
WHERE schemaname = 'public' AND relname = ANY(CAST(:tables AS text[]))
"""


async def count_dead_rows(tx: Transaction, tables: Sequence[str]) -> dict[str, int]:
    """Rows that were changed or deleted and that no vacuum has taken yet, by table."""
    rows = await tx.execute(text(_DEAD), {"tables": list(tables)})
    return {row.relname: row.n_dead_tup for row in rows}


async def oldest_snapshot_seconds(tx: Transaction) -> float:
    """How long the oldest open transaction has kept vacuum from dead rows."""
    age = await tx.scalar(text("SELECT public.oldest_snapshot_seconds()"))
    return float(age or 0)
