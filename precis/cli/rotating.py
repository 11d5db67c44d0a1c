"""`precis admin rotate-master-key`: what older keys sealed is sealed by the newest.

Online and resumable. First every process gets the new key as PRECIS_MASTER_KEY and the
old one as PRECIS_MASTER_KEY_PREVIOUS; then this; then the old one can be taken out.
"""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from precis.cli.address import DEFAULT_DATA, DataOption
from precis.cli.exits import CommandRefused, Exit
from precis.screen.showing import say, show, show_json

if TYPE_CHECKING:
    from jobs.operations.rewrap import Place
    from plumbing.sealing import MasterKey
    from precis.cli.operating import Operator


def rotate_master_key(
    *,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Only count what older keys sealed.")
    ] = False,
    data: DataOption = DEFAULT_DATA,
    as_json: Annotated[bool, typer.Option("--json", help="For programs.")] = False,
) -> None:
    """Seal by PRECIS_MASTER_KEY what the keys in PRECIS_MASTER_KEY_PREVIOUS sealed.

    It may be interrupted and repeated; nothing is held up meanwhile.

    Example: `precis admin rotate-master-key --dry-run`
    """
    from precis.cli.operating import operate  # noqa: PLC0415 - see the package

    master_key = _read_master_key(data)

    async def deed(operator: "Operator") -> tuple[int, int]:
        renewed = 0 if dry_run else await _renew_all(operator, master_key)
        left = await _count_left(operator, master_key)
        if left == 0 and not dry_run:
            await _finish(operator, master_key)
        return renewed, left

    renewed, left = operate(deed, data=data)
    if as_json:
        show_json({"renewed": renewed, "left": left})
    else:
        show(f"{renewed} renewed, {left} left")
    if left == 0:
        say("Once no process uses the older keys, take them out of its settings.")
    elif not dry_run:
        raise CommandRefused(
            "What is left was in use, or none of the keys opens it. Repeat this; if the "
            "number stays, name the key that is missing in PRECIS_MASTER_KEY_PREVIOUS.",
            status=Exit.NOT_DONE,
        )


def _read_master_key(data: Path) -> "MasterKey":
    from plumbing.sealing import KeyMalformed, MasterKey  # noqa: PLC0415
    from plumbing.settings import MasterKeySettings  # noqa: PLC0415
    from precis.cli.operating import read_told  # noqa: PLC0415

    try:
        return MasterKey(*read_told(MasterKeySettings, data=data).master_keys)
    except KeyMalformed as error:
        raise CommandRefused(f"{error}.", status=Exit.USAGE) from error


async def _renew_all(operator: "Operator", master_key: "MasterKey") -> int:
    from jobs.operations.rewrap import PLACES  # noqa: PLC0415 - see the package

    return sum([await _renew(operator, place, master_key) for place in PLACES])


async def _renew(operator: "Operator", place: "Place", master_key: "MasterKey") -> int:
    """Walk through one place, a transaction and a line in the audit a batch."""
    from jobs.operations.rewrap import START, rewrap  # noqa: PLC0415 - see the package
    from jobs.store.audit_store import record_act  # noqa: PLC0415

    after, total = START, 0
    while True:
        async with operator.database.transaction() as tx:
            batch = await rewrap(tx, place, master_key, after=after)
            if batch is None:
                return total
            await record_act(
                tx,
                "rotate-master-key",
                actor=operator.actor,
                subject=f"{place.table}.{place.column}",
                details={"renewed": batch.renewed},
            )
        after, total = batch.last_id, total + batch.renewed


async def _count_left(operator: "Operator", master_key: "MasterKey") -> int:
    from jobs.operations.rewrap import PLACES, count_old  # noqa: PLC0415

    async with operator.database.transaction() as tx:
        return sum([await count_old(tx, place, master_key) for place in PLACES])


async def _finish(operator: "Operator", master_key: "MasterKey") -> None:
    """From now on a process that has older keys alone is refused at its start."""
    from jobs.store.canary_store import renew_canary  # noqa: PLC0415 - see the package

    async with operator.database.transaction() as tx:
        await renew_canary(tx, master_key)
