"""Dead letters in the database: deliveries that were given up after their last try.

Their owners see and replay them too (`/v1/deliveries`); here an operator does, for all
tenants. A replay is a new delivery of the same event, with a schedule of its own.
"""

from typing import Any, Final

from jobs.ids import DELIVERY, ENDPOINT, SUMMARY, parse_id, show_id
from jobs.store.audit_store import record_act
from jobs.store.delivery_store import (
    Attempt,
    ReplayRefused,
    get_delivery,
    replay_delivery,
)
from jobs.store.exhausted_store import GivenUp, find_delivery, list_given_up
from precis.cli.dead_letters_found import DeadLetter
from precis.cli.exits import CommandRefused, Exit
from precis.cli.operating import Operator

_OBSTACLES: Final = {
    "delivery_unfinished": "It is still being tried.",
    "replay_expired": "It ended more than 30 days ago.",
    "endpoint_disabled": "Its endpoint is disabled or deleted: its owner enables it.",
}


async def list_deliveries(operator: Operator, *, limit: int) -> list[DeadLetter]:
    async with operator.database.statement() as tx:
        return [_letter(each) for each in await list_given_up(tx, limit=limit)]


async def find_given_up(operator: Operator, shown: str) -> DeadLetter | None:
    """The letter with every attempt, or None."""
    async with operator.database.transaction() as tx:
        delivery_id = parse_id(DELIVERY, shown)
        found = await find_delivery(tx, delivery_id) if delivery_id else None
        if found is None or found.state != "exhausted":
            return None
        full = await get_delivery(tx, found.id, tenant_id=found.tenant_id)
    letter = _letter(found)
    letter.told["tries"] = [_try(attempt) for attempt in full.attempts]
    return letter


async def replay_given_up(operator: Operator, shown: str) -> str | None:
    """Send it again; gives the new delivery's id, or None if there is no such letter.

    Raises `CommandRefused` where it may not be sent.
    """
    async with operator.database.transaction() as tx:
        delivery_id = parse_id(DELIVERY, shown)
        found = await find_delivery(tx, delivery_id) if delivery_id else None
        if found is None or found.state != "exhausted":
            return None
        try:
            made = await replay_delivery(tx, found.id, tenant_id=found.tenant_id)
        except ReplayRefused as error:
            raise CommandRefused(
                _OBSTACLES[error.obstacle], status=Exit.NOT_DONE
            ) from error
        new = show_id(DELIVERY, made.id)
        await record_act(
            tx,
            "dead-letters.replay",
            actor=operator.actor,
            subject=f"delivery {shown}",
            details={"new": new},
        )
    return new


def _letter(found: GivenUp) -> DeadLetter:
    return DeadLetter(
        id=show_id(DELIVERY, found.id),
        kind="delivery",
        at=found.finished_at,
        error=found.last_error or "unknown",
        told={
            "code": found.last_code,
            "attempts": found.attempt,
            "by": found.kind,
            "endpoint": found.endpoint_id and show_id(ENDPOINT, found.endpoint_id),
            "job": show_id(SUMMARY, found.job_id),
            "tenant": found.tenant,
            "replayed": found.is_replayed,
        },
    )


def _try(attempt: Attempt) -> dict[str, Any]:
    return {
        "number": attempt.number,
        "at": attempt.finished_at.isoformat(),
        "code": attempt.code,
        "error": attempt.error,
    }
