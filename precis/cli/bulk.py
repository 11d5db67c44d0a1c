"""`precis admin requeue` and `fail`: many jobs at once, chosen by what stopped them.

Only living jobs are touched. A job that failed stays failed: its owner was told so,
and the operator's hand never opens a text to send it again in the owner's name.
"""

from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, Annotated, Final
from uuid import UUID

import typer

from jobs.ids import SUMMARY, parse_id
from jobs.messages.problem import FAILURES
from precis.cli.address import DEFAULT_DATA, DataOption
from precis.cli.exits import CommandRefused, Exit
from precis.cli.moments import SinceOption
from precis.screen.showing import say, show, show_json

if TYPE_CHECKING:
    from jobs.operations.requeue import Selection
    from plumbing.database import Transaction
    from precis.cli.operating import Operator

BY_OPERATOR: Final = "ended_by_operator"

ErrorOption = Annotated[
    str | None,
    typer.Option(
        "--error", metavar="CODE", help="Those whose last attempt failed with it."
    ),
]
TenantOption = Annotated[
    str | None, typer.Option(metavar="NAME", help="Those of this tenant.")
]
DryRunOption = Annotated[
    bool, typer.Option("--dry-run", help="Only count, change nothing.")
]
JsonOption = Annotated[bool, typer.Option("--json", help="For programs.")]


def requeue(
    *,
    error: Annotated[
        str,
        typer.Option(
            "--error", metavar="CODE", help="Those whose last attempt failed with it."
        ),
    ],
    since: SinceOption = None,
    tenant: TenantOption = None,
    dry_run: DryRunOption = False,
    data: DataOption = DEFAULT_DATA,
    as_json: JsonOption = False,
) -> None:
    """Let jobs that wait for their next attempt have it now.

    Jobs that have failed stay so: an ending never changes. Whoever sent the text may
    send it again.

    Example: `precis admin requeue --error engine_unavailable --since 2h --dry-run`
    """
    from jobs.operations.requeue import (  # noqa: PLC0415 - see the package
        count_waiting,
        requeue_waiting,
    )
    from precis.cli.operating import operate  # noqa: PLC0415

    async def deed(operator: "Operator") -> int:
        chosen = await _select(operator, error=error, since=since, tenant=tenant)
        if dry_run:
            return await _count(operator, count_waiting, chosen)
        told = {"error": error, "tenant": tenant}
        return await _repeat(
            operator, requeue_waiting, chosen, action="requeue", told=told
        )

    done = operate(deed, data=data)
    _tell(done, "queued", dry_run=dry_run, as_json=as_json)
    if done == 0:
        say(
            f"No job waits because of {error}. One that failed with it stays failed: "
            "whoever sent the text may send it again."
        )


def fail(
    *,
    job: Annotated[
        list[str] | None, typer.Option(metavar="ID", help="This one; may be repeated.")
    ] = None,
    error: ErrorOption = None,
    since: SinceOption = None,
    tenant: TenantOption = None,
    code: Annotated[
        str, typer.Option(help=f"What they fail with: {', '.join(FAILURES)}.")
    ] = BY_OPERATOR,
    dry_run: DryRunOption = False,
    data: DataOption = DEFAULT_DATA,
    as_json: JsonOption = False,
) -> None:
    """End jobs that wait or run; their owners are told as of any other ending.

    Name what they have in common: --job, --error or --tenant.

    Example: `precis admin fail --error model_output_invalid --tenant acme`
    """
    from jobs.operations.requeue import (  # noqa: PLC0415 - see the package
        Selection,
        count_living,
        fail_living,
    )
    from precis.cli.operating import operate  # noqa: PLC0415

    if not (job or error or tenant):
        raise CommandRefused(
            "Name which jobs: --job ID, --error CODE or --tenant NAME.",
            status=Exit.USAGE,
        )
    if code not in FAILURES:
        raise CommandRefused(
            f"{code} is no reason that callers know; one of {', '.join(FAILURES)}.",
            status=Exit.USAGE,
        )
    ids = [parse_job(each) for each in job] if job else None

    async def end(tx: "Transaction", chosen: Selection) -> list[UUID]:
        return await fail_living(tx, chosen, code=code)

    async def deed(operator: "Operator") -> int:
        chosen = await _select(
            operator, error=error, since=since, tenant=tenant, ids=ids
        )
        if dry_run:
            return await _count(operator, count_living, chosen)
        told = {"error": error, "tenant": tenant, "code": code}
        return await _repeat(operator, end, chosen, action="fail", told=told)

    _tell(operate(deed, data=data), "ended", dry_run=dry_run, as_json=as_json)


async def _select(
    operator: "Operator", *, tenant: str | None, error: str | None, **rest: object
) -> "Selection":
    from jobs.operations.requeue import Selection  # noqa: PLC0415 - see the package
    from precis.cli.tenancy import get_tenant_id  # noqa: PLC0415

    async with operator.database.statement() as tx:
        tenant_id = await get_tenant_id(tx, tenant) if tenant else None
    return Selection(last_error=error, tenant_id=tenant_id, **rest)  # type: ignore[arg-type]


async def _count(
    operator: "Operator",
    count: "Callable[[Transaction, Selection], Awaitable[dict[str, int]]]",
    chosen: "Selection",
) -> int:
    async with operator.database.statement() as tx:
        return sum((await count(tx, chosen)).values())


async def _repeat(
    operator: "Operator",
    change: "Callable[[Transaction, Selection], Awaitable[list[UUID]]]",
    chosen: "Selection",
    *,
    action: str,
    told: dict[str, str | None],
) -> int:
    """Batch after batch, each with its line in the audit, until none is left."""
    from jobs.store.audit_store import record_act  # noqa: PLC0415 - see the package

    total = 0
    while True:
        async with operator.database.transaction() as tx:
            changed = await change(tx, chosen)
            if not changed:
                return total
            await record_act(
                tx,
                action,
                actor=operator.actor,
                subject=f"{len(changed)} jobs",
                details=told | {"jobs": [each.hex for each in changed]},
            )
        total += len(changed)


def parse_job(shown: str) -> UUID:
    job_id = parse_id(SUMMARY, shown)
    if job_id is None:
        raise CommandRefused(
            f"{shown} is no job's id; one looks like sum_ and 32 digits.",
            status=Exit.USAGE,
        )
    return job_id


def _tell(count: int, done: str, *, dry_run: bool, as_json: bool) -> None:
    if as_json:
        show_json({"jobs": count, "dry_run": dry_run})
    else:
        show(f"{count} jobs {'would be ' if dry_run else ''}{done}")
