"""What was done by hand, and by whom; only ever appended to, as a trigger enforces.

Written in the transaction of the act itself. Ids, names and counts; never texts, keys
or addresses.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from sqlalchemy import text

from plumbing.database import Transaction

Details = Mapping[str, int | str | bool | list[str] | None]


@dataclass(frozen=True, slots=True, kw_only=True)
class Act:
    at: datetime
    actor: str
    action: str
    subject: str
    details: dict[str, Any]


_RECORD: Final = """
INSERT INTO audit (actor, action, subject, details)
VALUES (:actor, :action, :subject, CAST(:details AS jsonb))
"""


async def record_act(
    tx: Transaction,
    action: str,
    *,
    actor: str,
    subject: str,
    details: Details | None = None,
) -> None:
    """Append one line; it stands or falls with what was done."""
    values = {"actor": actor, "action": action, "subject": subject}
    await tx.execute(text(_RECORD), values | {"details": json.dumps(details or {})})


_LIST: Final = """
SELECT at, actor, action, subject, details FROM audit
WHERE at >= coalesce(CAST(:since AS timestamptz), '-infinity')
ORDER BY id DESC LIMIT :limit
"""


async def list_acts(
    tx: Transaction, *, since: datetime | None, limit: int
) -> list[Act]:
    """The latest acts, the oldest of them first."""
    rows = await tx.execute(text(_LIST), {"since": since, "limit": limit})
    acts = [
        Act(
            at=row.at,
            actor=row.actor,
            action=row.action,
            subject=row.subject,
            details=row.details,
        )
        for row in rows
    ]
    return acts[::-1]
