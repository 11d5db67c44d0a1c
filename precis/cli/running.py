"""`precis up`, `demo` and `migrate`: commands that start something.

Each imports what it starts when it is called: the local stack, the demo and Alembic
take longer to import than most commands take to run.
"""

from pathlib import Path
from typing import Annotated

import typer

from precis.cli.address import DEFAULT_DATA
from precis.cli.exits import CommandRefused, Exit
from precis.screen.showing import show


def up(
    *,
    data: Annotated[
        Path, typer.Option("--data", metavar="DIR", help="Where everything is kept.")
    ] = DEFAULT_DATA,
    port: Annotated[
        int, typer.Option(min=0, max=65535, help="The gateway's; 0: any free one.")
    ] = 0,
    engine_url: Annotated[
        str | None,
        typer.Option(
            help="An OpenAI-compatible server instead of the embedded engine."
        ),
    ] = None,
    engine_model: Annotated[
        str | None, typer.Option(help="Its model; needed where it serves several.")
    ] = None,
    engine_context: Annotated[
        int | None, typer.Option(min=256, help="Its context in tokens.")
    ] = None,
    ready_file: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Also write the details here.")
    ] = None,
) -> None:
    """Start the whole stack on this machine and keep it, until Ctrl-C.

    For example:

    - `precis up`
    - `precis up --data /var/tmp/precis --port 8000`
    - `precis up --engine-url http://127.0.0.1:11434 --engine-model qwen3:4b`
    """
    from deploy.local.stack import StackOptions  # noqa: PLC0415 - see the module
    from precis.cli.standing import engine_api_key, keep_up  # noqa: PLC0415

    if engine_url is None and (engine_model or engine_context):
        raise CommandRefused(
            "--engine-model and --engine-context describe the server that "
            "--engine-url names; name it too.",
            status=Exit.USAGE,
        )
    options = StackOptions(
        data_dir=data,
        port=port,
        engine_url=engine_url,
        engine_model=engine_model,
        engine_context=engine_context,
        engine_api_key=engine_api_key() if engine_url else None,
        ready_file=ready_file,
    )
    raise typer.Exit(keep_up(options))


def demo() -> None:
    """Show the whole service at work on this machine, then leave nothing behind.

    Example: `precis demo`
    """
    from precis.demo.main import run  # noqa: PLC0415 - see the module

    raise typer.Exit(run())


def migrate() -> None:
    """Bring the database that PRECIS_DATABASE_URL names to the newest tables.

    It may run in several places at once. Example: `precis migrate`
    """
    from precis.cli.tables import make_tables  # noqa: PLC0415 - see the module

    make_tables()
    show("the tables are up to date")
