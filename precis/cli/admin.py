"""`precis admin ...`: tenants, their keys and secrets, and the operator's other commands.

These speak to the database, not to the service, so they need its address and secrets
in the environment. What they do is `tenancy`'s part; it is imported by the commands,
because SQLAlchemy takes longer to import than most commands take to run.
"""

import asyncio
from collections.abc import Awaitable, Callable
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Annotated, TypeVar

import typer

from jobs.api_keys import parse_api_key
from jobs.ids import TENANT, show_id
from precis.cli import auditing, bulk, pausing, rotating
from precis.cli.exits import CommandRefused, Exit
from precis.screen.showing import say, show, show_json

if TYPE_CHECKING:
    from precis.cli.tenancy import Tenancy

T = TypeVar("T")
NameArgument = Annotated[str, typer.Argument(metavar="TENANT", help="Its name.")]

_NEEDS = (
    "Tenants and keys need PRECIS_DATABASE_URL, PRECIS_MASTER_KEY and "
    "PRECIS_KEY_PEPPER, as the gateway has them; the rest needs the database alone, or "
    "a data folder. PRECIS_ACTOR is who acts, for the audit."
)
admin = typer.Typer(
    no_args_is_help=True, help=f"What an operator does by hand. {_NEEDS}"
)
tenant = typer.Typer(no_args_is_help=True, help="Tenants and their webhook secrets.")
key = typer.Typer(no_args_is_help=True, help="API keys; a tenant has at most two.")
admin.add_typer(tenant, name="tenant")
admin.add_typer(key, name="key")
admin.add_typer(pausing.pause, name="pause")
admin.add_typer(pausing.resume, name="resume")
admin.command()(pausing.paused)
admin.command()(bulk.requeue)
admin.command()(bulk.fail)
admin.command()(auditing.audit)
admin.command()(rotating.rotate_master_key)


@admin.command()
def bootstrap(
    *, as_json: Annotated[bool, typer.Option("--json", help="For programs.")] = False
) -> None:
    """Make the tenant `local` if it is missing, and a key for it.

    Example: `precis admin bootstrap --json`
    """
    made = _do(lambda tenancy: tenancy.bootstrap())
    shown = {
        "tenant_id": show_id(TENANT, made.tenant_id),
        "api_key": made.api_key,
        "webhook_secret": made.webhook_secret,
    }
    if as_json:
        show_json(shown)
        return
    for name, value in shown.items():
        show(f"{name:<15} {value}")
    _warn_of_key()


@tenant.command("create")
def create_tenant(
    name: NameArgument,
    *,
    owner: Annotated[str, typer.Option(metavar="MAIL", help="Who is told of trouble.")],
    weight: Annotated[
        float, typer.Option(min=0.001, max=1000, help="Its share beside the others'.")
    ] = 1.0,
) -> None:
    """Make a tenant.

    Example: `precis admin tenant create acme --owner ops@acme.example`
    """
    if not name.strip() or not name.isprintable():
        raise CommandRefused(
            "A tenant's name is one line of text, and not empty.", status=Exit.USAGE
        )
    made = _do(lambda tenancy: tenancy.create_tenant(name, owner=owner, weight=weight))
    show(show_id(TENANT, made))
    say(f"`precis admin key create {name}` makes its first key.")


@tenant.command("list")
def list_tenants() -> None:
    """List all tenants: id, weight, owner, name."""
    for each in _do(lambda tenancy: tenancy.list_tenants()):
        shown = show_id(TENANT, each.id)
        show(f"{shown}  {each.weight:g}  {each.owner_email}  {each.name}")


@tenant.command("secret")
def show_secret(name: NameArgument) -> None:
    """Show the secret that signs webhooks to URLs given with a job."""
    show(_do(lambda tenancy: tenancy.read_secret(name)))


@tenant.command("rotate-secret")
def rotate_secret(name: NameArgument) -> None:
    """Replace that secret; the old one goes on signing for 24 hours."""
    show(_do(lambda tenancy: tenancy.rotate_secret(name)))
    say("Webhooks carry both signatures for 24 hours.")


@key.command("create")
def create_key(
    name: NameArgument,
    *,
    label: Annotated[str, typer.Option("--name", help="What it is for.")] = "",
    days: Annotated[
        int | None,
        typer.Option("--expires-in-days", min=1, max=36500, help="Default: never."),
    ] = None,
) -> None:
    """Make a key and show it, once.

    Example: `precis admin key create acme --name ci --expires-in-days 90`
    """
    lifetime = None if days is None else timedelta(days=days)
    made = _do(lambda tenancy: tenancy.create_key(name, name=label, lifetime=lifetime))
    show(made)
    _warn_of_key()


@key.command("list")
def list_keys(name: NameArgument) -> None:
    """List a tenant's keys: id, made, expires, revoked, name."""
    for each in _do(lambda tenancy: tenancy.list_keys(name)):
        times = (each.created_at, each.expires_at, each.revoked_at)
        show(f"{each.id}  {'  '.join(map(_day, times))}  {each.name}".rstrip())


@key.command("revoke")
def revoke_key(
    key_id: Annotated[
        str, typer.Argument(metavar="ID|KEY", help="The 8 characters, or the key.")
    ],
) -> None:
    """End a key; within ten seconds nobody can use it.

    Example: `precis admin key revoke 4fQz81Lx`
    """
    presented = parse_api_key(key_id)
    wanted = presented.id if presented else key_id
    if not _do(lambda tenancy: tenancy.revoke_key(wanted)):
        raise CommandRefused(
            "There is no such live key. `precis admin key list TENANT` shows them.",
            status=Exit.NOT_FOUND,
        )
    show(f"{wanted} is revoked")


def _do(deed: "Callable[[Tenancy], Awaitable[T]]") -> T:
    """Carry out one deed on the tenants that the environment names."""
    from precis.cli.tenancy import open_tenancy  # noqa: PLC0415 - see the module

    async def with_tenancy() -> T:
        async with open_tenancy() as tenancy:
            return await deed(tenancy)

    return asyncio.run(with_tenancy())


def _warn_of_key() -> None:
    say("Keep the key: it is shown this once, and only its HMAC is stored.")


def _day(moment: datetime | None) -> str:
    return f"{moment:%Y-%m-%d}" if moment else "-".ljust(10)
