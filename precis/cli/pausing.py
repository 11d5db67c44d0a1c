"""`precis admin pause`, `resume` and `paused`: hold work back without losing any.

The commands write a row; claims heed it at once, the gateways within a second, and the
dispatcher moves a tenant's jobs aside and back. Running jobs finish.
"""

from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Final

import typer

from jobs.lifecycle import Tier
from precis.cli.address import DEFAULT_DATA, DataOption
from precis.screen.showing import say, show, show_json

if TYPE_CHECKING:
    from jobs.store.pause_store import Pause
    from precis.cli.operating import Operator

_COUNTED_UP_TO: Final = 100_000

TenantName = Annotated[str, typer.Argument(metavar="NAME", help="The tenant's name.")]
TierName = Annotated[Tier, typer.Argument(help="Which one.")]

pause = typer.Typer(
    no_args_is_help=True, help="Start nothing more of a tenant, a tier or a pool."
)
resume = typer.Typer(no_args_is_help=True, help="Let what was paused go on.")


class _Deed(StrEnum):
    PAUSE = "pause"
    RESUME = "resume"


@pause.command("tenant")
def pause_tenant(name: TenantName, *, data: DataOption = DEFAULT_DATA) -> None:
    """Start none of its jobs any more; what it sends is accepted and waits.

    Example: `precis admin pause tenant acme`
    """
    _change(_Deed.PAUSE, "tenant", name, data=data)


@pause.command("tier")
def pause_tier(name: TierName, *, data: DataOption = DEFAULT_DATA) -> None:
    """Give it no more work; a paused realtime tier leaves short texts to batch.

    Example: `precis admin pause tier batch`
    """
    _change(_Deed.PAUSE, "tier", name, data=data)


@pause.command("pool")
def pause_pool(name: TierName, *, data: DataOption = DEFAULT_DATA) -> None:
    """Send its engines no new work, as while they are replaced.

    Works like the tier's pause; each is resumed by itself.
    Example: `precis admin pause pool realtime`
    """
    _change(_Deed.PAUSE, "pool", name, data=data)


@resume.command("tenant")
def resume_tenant(name: TenantName, *, data: DataOption = DEFAULT_DATA) -> None:
    """Put its jobs back in line, in their order and behind nobody's back.

    Example: `precis admin resume tenant acme`
    """
    _change(_Deed.RESUME, "tenant", name, data=data)


@resume.command("tier")
def resume_tier(name: TierName, *, data: DataOption = DEFAULT_DATA) -> None:
    """Give it work again. Example: `precis admin resume tier batch`"""
    _change(_Deed.RESUME, "tier", name, data=data)


@resume.command("pool")
def resume_pool(name: TierName, *, data: DataOption = DEFAULT_DATA) -> None:
    """Send its engines work again. Example: `precis admin resume pool realtime`"""
    _change(_Deed.RESUME, "pool", name, data=data)


def paused(
    *,
    data: DataOption = DEFAULT_DATA,
    as_json: Annotated[
        bool, typer.Option("--json", help="A line per pause, for programs.")
    ] = False,
) -> None:
    """List what is paused, by whom, since when, and how many jobs wait aside.

    Example: `precis admin paused --json`
    """
    from precis.cli.operating import operate  # noqa: PLC0415 - see the package

    found = operate(_list, data=data)
    for each, aside in found:
        shown = _as_shown(each, aside)
        if as_json:
            show_json(shown)
        else:
            waiting = "" if aside is None else f"  {shown['jobs_aside']} jobs aside"
            show(
                f"{each.scope:<6}  {each.step:<8}  {each.since:%Y-%m-%d %H:%M:%S}  "
                f"{each.actor}  {each.name}{waiting}"
            )
    if not found:
        say("Nothing is paused.")


def _as_shown(each: "Pause", aside: int | None) -> dict[str, Any]:
    return {
        "scope": each.scope,
        "name": each.name,
        "step": each.step,
        "actor": each.actor,
        "since": each.since.isoformat(),
        "jobs_aside": aside,
    }


async def _list(operator: "Operator") -> "list[tuple[Pause, int | None]]":
    from jobs.operations.pause import count_aside  # noqa: PLC0415 - see the package
    from jobs.store.pause_store import list_pauses  # noqa: PLC0415

    async with operator.database.transaction() as tx:
        return [
            (
                each,
                await count_aside(tx, each.tenant_id, enough=_COUNTED_UP_TO)
                if each.tenant_id
                else None,
            )
            for each in await list_pauses(tx)
        ]


def _change(deed: _Deed, scope: str, name: str, *, data: Path) -> None:
    from precis.cli.operating import operate  # noqa: PLC0415 - see the package

    async def change(operator: "Operator") -> bool:
        return await _write(operator, deed, scope, name)

    is_new = operate(change, data=data)
    now = "paused" if deed is _Deed.PAUSE else "resumed"
    if is_new:
        show(f"{scope} {name} is {now}")
    elif deed is _Deed.PAUSE:
        say(f"{scope} {name} was paused already; `precis admin paused` shows by whom.")
    else:
        say(f"{scope} {name} was not paused.")


async def _write(operator: "Operator", deed: _Deed, scope: str, name: str) -> bool:
    """The pause or its end, and its line in the audit, in one transaction."""
    from jobs.store import pause_store  # noqa: PLC0415 - see the package
    from jobs.store.audit_store import record_act  # noqa: PLC0415
    from precis.cli.tenancy import get_tenant_id  # noqa: PLC0415

    kind, actor = pause_store.Scope(scope), operator.actor
    async with operator.database.transaction() as tx:
        of_tenant = kind is pause_store.Scope.TENANT
        tenant_id = await get_tenant_id(tx, name) if of_tenant else None
        if deed is _Deed.PAUSE:
            is_new = await pause_store.begin_pause(
                tx, kind, name, tenant_id=tenant_id, actor=actor
            )
        else:
            is_new = await pause_store.begin_resume(tx, kind, name, actor=actor)
        if is_new:
            await record_act(tx, deed, actor=actor, subject=f"{scope} {name}")
    return is_new
