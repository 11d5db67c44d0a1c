"""Hints on their way to Kafka: written with the job, deleted once Kafka has them."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final
from uuid import UUID

from sqlalchemy import text

from plumbing.database import Transaction


@dataclass(frozen=True, slots=True)
class OutboxRow:
    id: int
    job_id: UUID


_READ: Final = "SELECT id, job_id FROM outbox ORDER BY id LIMIT :limit"
_DELETE: Final = "DELETE FROM outbox WHERE id = ANY(CAST(:ids AS bigint[]))"


async def list_outbox(tx: Transaction, *, limit: int) -> list[OutboxRow]:
    rows = await tx.execute(text(_READ), {"limit": limit})
    return [OutboxRow(row.id, row.job_id) for row in rows]


async def delete_sent(tx: Transaction, sent: Sequence[OutboxRow]) -> None:
    await tx.execute(text(_DELETE), {"ids": [row.id for row in sent]})


async def oldest_age_seconds(tx: Transaction) -> float:
    """How long the oldest hint has waited for Kafka; 0 when none waits."""
    age = await tx.scalar(
        text(
            "SELECT extract(epoch FROM statement_timestamp() - created_at)::float8"
            " FROM outbox ORDER BY id LIMIT 1"
        )
    )
    return float(age or 0)
