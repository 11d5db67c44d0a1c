"""`precis admin audit`: what was done by hand, by whom and when."""

import json
from datetime import datetime
from typing import TYPE_CHECKING, Annotated, Any

import typer

from precis.cli.address import DEFAULT_DATA, DataOption
from precis.cli.moments import SinceOption
from precis.screen.showing import show, show_json

if TYPE_CHECKING:
    from jobs.store.audit_store import Act
    from precis.cli.operating import Operator


def audit(
    *,
    since: SinceOption = None,
    limit: Annotated[int, typer.Option(min=1, help="The latest so many.")] = 100,
    data: DataOption = DEFAULT_DATA,
    as_json: Annotated[
        bool, typer.Option("--json", help="A line per act, for programs.")
    ] = False,
) -> None:
    """Show what was done by hand, the latest last. Nobody can change or delete it.

    Example: `precis admin audit --since 7d`
    """
    from precis.cli.operating import operate  # noqa: PLC0415 - see the package

    async def deed(operator: "Operator") -> "list[Act]":
        return await _list(operator, since=since, limit=limit)

    for act in operate(deed, data=data):
        if as_json:
            show_json(_as_shown(act))
        else:
            at = f"{act.at:%Y-%m-%d %H:%M:%S}"
            show(f"{at}  {act.actor}  {act.action}  {act.subject}  {_details(act)}")


async def _list(
    operator: "Operator", *, since: datetime | None, limit: int
) -> "list[Act]":
    from jobs.store.audit_store import list_acts  # noqa: PLC0415 - see the package

    async with operator.database.statement() as tx:
        return await list_acts(tx, since=since, limit=limit)


def _as_shown(act: "Act") -> dict[str, Any]:
    return {
        "at": act.at.isoformat(),
        "actor": act.actor,
        "action": act.action,
        "subject": act.subject,
        "details": act.details,
    }


def _details(act: "Act") -> str:
    """The short ones; a list of jobs is told by --json."""
    short = {name: value for name, value in act.details.items() if value is not None}
    short.pop("jobs", None)
    return json.dumps(short) if short else ""
