"""How late deliveries are: the first of each lane against the clock, nothing more.

Claiming and sending are the notifier's; this tells whether anybody does it.
"""

from dataclasses import dataclass
from datetime import timedelta
from typing import Final

from sqlalchemy import text

from jobs.store.due_lanes import DUE_LANES
from plumbing.database import Transaction

LATE: Final = timedelta(seconds=60)

LATENESS_SQL: Final = f"""{DUE_LANES}
SELECT coalesce(extract(epoch FROM max(first.late)), 0)::float8 AS oldest,
       count(*) FILTER (WHERE first.late > CAST(:late AS interval)) AS lanes
FROM lanes l CROSS JOIN LATERAL (
    SELECT statement_timestamp() - d.next_at AS late FROM delivery d
    WHERE d.lane = l.lane AND d.state = 'due' ORDER BY d.next_at LIMIT 1
) first
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Lateness:
    oldest_seconds: float
    """Of the delivery whose next attempt is due longest; 0 when none is."""
    late_lanes: int
    """Receivers whose next attempt is late by more than a minute."""


async def read_lateness(tx: Transaction) -> Lateness:
    row = (await tx.execute(text(LATENESS_SQL), {"late": LATE})).one()
    return Lateness(oldest_seconds=max(row.oldest, 0), late_lanes=row.lanes)
