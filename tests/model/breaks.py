"""The protocol with one condition taken out of it: a model that passes it is asleep.

A break is a few words of one statement, changed in the memory of a test. The database's
own guards are dropped beforehand where they would refuse what the model has to find.
"""

import importlib
from dataclasses import dataclass
from typing import Final

import pytest
from sqlalchemy import text


@dataclass(frozen=True, kw_only=True)
class Break:
    module: str
    statement: str
    """The name of the statement in its module."""
    changes: tuple[tuple[str, str], ...]
    finds: str
    """A word of what the model must say of it."""


_FINAL: Final = "('cancelled', 'expired', 'failed', 'succeeded')"
_LEAVE: Final = "jobs.operations.leave"

BREAKS: Final = {
    "leaving without the fence": Break(
        module=_LEAVE,
        statement="_LEAVE",
        changes=(
            (" AND h.fence = g.fence", ""),
            (" AND j.fence = leaving.fence", ""),
        ),
        finds="I3|I1|refused",
    ),
    "cancel without the state": Break(
        module="jobs.operations.cancel",
        statement="_CANCEL",
        changes=(
            (f" AND state NOT IN {_FINAL}", ""),
            (f" AND j.state NOT IN {_FINAL}", ""),
        ),
        finds="I1|I3|refused",
    ),
    "leaving without the event": Break(
        module=_LEAVE,
        statement="_LEAVE",
        changes=(("FROM ended\n    RETURNING", "FROM ended WHERE false RETURNING"),),
        finds="I4",
    ),
    "ending without the deliveries": Break(
        module="jobs.operations.cancel",
        statement="_CANCEL",
        changes=(
            ("receivers r USING (job_id)", "receivers r USING (job_id) WHERE false"),
        ),
        finds="I4",
    ),
    "erasure that leaves the text": Break(
        module="jobs.operations.wipe",
        statement="WIPE_SQL",
        changes=(
            (
                "DELETE FROM job_input USING doomed WHERE",
                "DELETE FROM job_input USING doomed WHERE false AND",
            ),
        ),
        finds="I7",
    ),
    "keys that do not last": Break(
        module="jobs.operations.idempotency",
        statement="_CLEAR_LAPSED",
        changes=(("expires_at <= statement_timestamp()", "lease_until IS NULL"),),
        finds="I1",
    ),
}

RARE_BREAKS: Final = {
    "heartbeat without the lease": Break(
        module="jobs.operations.claim",
        statement="_RENEW",
        changes=(("WHERE j.lease_until > statement_timestamp()", ""),),
        finds="I3",
    ),
    "chunks without the fence": Break(
        module="jobs.store.chunk_store",
        statement="_STORE",
        changes=(
            ("ON j.id = g.job_id AND j.fence = g.fence", "ON j.id = g.job_id"),
            ("h.id = g.job_id AND h.fence = g.fence", "h.id = g.job_id"),
        ),
        finds="I3",
    ),
    "retention that is too early": Break(
        module="jobs.operations.retain",
        statement="DROP_TEXTS_SQL",
        changes=(("CAST(:kept AS interval)", "CAST(:kept AS interval) / 2"),),
        finds="I7",
    ),
    "a delivery recorded without the fence": Break(
        module="notifier.outcome_store",
        statement="RECORD_SUCCESS_SQL",
        changes=(("WHERE id = :id AND fence = :fence", "WHERE id = :id"),),
        finds="I3|I1|refused",
    ),
}
"""Found as surely, but by longer walks."""

UNLOCKED_CLAIM: Final = Break(
    module="jobs.operations.claim",
    statement="CLAIM_SQL",
    changes=(("FOR UPDATE SKIP LOCKED", ""),),
    finds="I1|I3|I6|refused",
)
"""Harmless to one actor at a time; two at once get the same job."""


def apply(change: Break, patch: pytest.MonkeyPatch) -> None:
    """Until the test ends."""
    module = importlib.import_module(change.module)
    statement = getattr(module, change.statement)
    is_text = isinstance(statement, str)
    source = statement if is_text else statement.text
    for old, new in change.changes:
        assert old in source, f"{change.statement} no longer has the words {old!r}"
        source = source.replace(old, new)
    patch.setattr(module, change.statement, source if is_text else text(source))
