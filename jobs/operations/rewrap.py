"""Seal anew, under the master key of today, what an older one sealed.

Online: readers are not held up, rows in use are passed over and found by the next walk.
A walk may be broken off at any batch and begun again. Texts and summaries are not
touched: they are sealed by their jobs' own keys, which are what is wrapped here.
"""

from dataclasses import dataclass
from typing import Final
from uuid import UUID

from sqlalchemy import text

from plumbing.database import Transaction
from plumbing.sealing import MARK_BYTES, BoxBroken, MasterKey

_MOST_AT_ONCE: Final = 2000
START: Final = UUID(int=0)


@dataclass(frozen=True, slots=True)
class Place:
    """A column of boxes that the master key sealed, and what their labels begin with."""

    table: str
    id_column: str
    column: str
    label: str


PLACES: Final = (
    Place("job_key", "job_id", "wrapped", "job-key"),
    Place("tenant", "id", "webhook_secret", "webhook-secret"),
    Place("tenant", "id", "webhook_secret_previous", "webhook-secret"),
    Place("webhook_endpoint", "id", "secret", "webhook-secret"),
    Place("webhook_endpoint", "id", "secret_previous", "webhook-secret"),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Batch:
    last_id: UUID
    renewed: int


_IS_OLD: Final = f"substring({{column}} FOR {MARK_BYTES}) <> :mark"
_FIND: Final = f"""
SELECT {{id_column}} AS id, {{column}} AS box FROM {{table}}
WHERE {{id_column}} > :after AND {_IS_OLD}
ORDER BY {{id_column}} LIMIT {_MOST_AT_ONCE} FOR NO KEY UPDATE SKIP LOCKED
"""
_RENEW: Final = """
UPDATE {table} t SET {column} = new.box
FROM unnest(CAST(:ids AS uuid[]), CAST(:boxes AS bytea[])) AS new (id, box)
WHERE t.{id_column} = new.id
"""
_COUNT: Final = f"SELECT count(*) FROM {{table}} WHERE {_IS_OLD}"


async def rewrap(
    tx: Transaction, place: Place, master_key: MasterKey, *, after: UUID
) -> Batch | None:
    """Renew the next boxes after an id; None: the walk is at its end.

    A box that none of the keys opens stays as it is. Needs a `transaction()`.
    """
    found = (
        await tx.execute(
            text(_of(place, _FIND)), {"after": after, "mark": master_key.mark}
        )
    ).all()
    if not found:
        return None
    renewed = {}
    for row in found:
        label = f"{place.label}:{row.id.hex}"
        box = _try_anew(row.box, master_key, label=label)
        if box is not None:
            renewed[row.id] = box
    values = {"ids": list(renewed), "boxes": list(renewed.values())}
    await tx.execute(text(_of(place, _RENEW)), values)
    return Batch(last_id=found[-1].id, renewed=len(renewed))


async def count_old(tx: Transaction, place: Place, master_key: MasterKey) -> int:
    """How many boxes there another key than the newest has sealed."""
    statement = text(_of(place, _COUNT))
    return int(await tx.scalar(statement, {"mark": master_key.mark}) or 0)


def _of(place: Place, statement: str) -> str:
    return statement.format(
        table=place.table, id_column=place.id_column, column=place.column
    )


def _try_anew(box: bytes, master_key: MasterKey, *, label: str) -> bytes | None:
    try:
        return master_key.seal_anew(box, label=label)
    except BoxBroken:
        return None
