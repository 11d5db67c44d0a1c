"""`precis erasures ...`: the ledger of erasures, out of a database and into a restored one.

A backup knows nothing of what was erased after it was made. So the ledger is exported
regularly to a place outside the backups, and replayed into a restored database before
anything serves from it. What is done is `ledger`'s part.
"""

import asyncio
from typing import Annotated

import typer

from precis.cli.moments import SinceOption
from precis.screen.showing import say, show

FileArgument = Annotated[
    str, typer.Argument(metavar="FILE|-", help="JSON lines; - is the standard stream.")
]

erasures = typer.Typer(
    no_args_is_help=True,
    help="The ledger of erasures: ids and times. They need PRECIS_DATABASE_URL.",
)


@erasures.command("export")
def export_ledger(file: FileArgument, *, since: SinceOption = None) -> None:
    """Write the ledger, one erasure a line; a file is replaced as a whole.

    With --since only what was asked for from then on; let exports overlap by an hour.
    Example: `precis erasures export erasures.jsonl`
    """
    from precis.cli.ledger import export  # noqa: PLC0415 - SQLAlchemy loads slowly

    count = asyncio.run(export(file, since=since))
    say(f"{count} erasures exported")


@erasures.command("replay")
def replay_ledger(file: FileArgument) -> None:
    """Erase again what the ledger names, in a database that was restored.

    Run it before anything serves from the database; it may be repeated.
    Example: `precis erasures replay erasures.jsonl`
    """
    from precis.cli.ledger import replay_all  # noqa: PLC0415 - SQLAlchemy loads slowly

    met = asyncio.run(replay_all(file, on_unknown=_tell_unknown))
    show(
        f"erased {met['erased']}, gone already {met['gone']}, unknown {met['unknown']}"
    )


def _tell_unknown(summary_id: str) -> None:
    say(f"{summary_id} is not in this database; its receipt is kept")
