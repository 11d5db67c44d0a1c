"""`precis explain JOB`: why a job stands where it stands, and what has happened to it.

For operators: it reads the database, and shows no text, no summary and no address.
"""

from typing import TYPE_CHECKING, Annotated

import typer

from precis.cli.address import DEFAULT_DATA, DataOption
from precis.cli.bulk import parse_job
from precis.cli.exits import CommandRefused, Exit
from precis.screen.showing import show, show_json

if TYPE_CHECKING:
    from jobs.operations.explain import Explanation
    from precis.cli.operating import Operator


def explain(
    job: Annotated[str, typer.Argument(metavar="JOB", help="Its id, sum_...")],
    *,
    data: DataOption = DEFAULT_DATA,
    as_json: Annotated[
        bool, typer.Option("--json", help="One object, for programs.")
    ] = False,
) -> None:
    """Tell why a job waits, where it stands in line, and its history in order of time.

    It asks the database of PRECIS_DATABASE_URL, or of the data folder.
    Example: `precis explain sum_0199a1b2c3d47e8f9a0b1c2d3e4f5a6b`
    """
    from jobs.operations.explain import explain as find  # noqa: PLC0415 - loads SQL
    from precis.cli import explaining_words  # noqa: PLC0415 - the same
    from precis.cli.operating import operate  # noqa: PLC0415 - the same

    job_id = parse_job(job)

    async def deed(operator: "Operator") -> "Explanation | None":
        async with operator.database.transaction() as tx:
            return await find(tx, job_id)

    found = operate(deed, data=data)
    if found is None:
        raise CommandRefused(
            f"There is no job {job} in this database.", status=Exit.NOT_FOUND
        )
    if as_json:
        show_json(explaining_words.as_json(found))
        return
    for name, value in explaining_words.list_facts(found):
        show(f"{name:<9} {value}")
    show()
    for reason in explaining_words.find_reasons(found):
        show(reason.told)
    show()
    for happening in found.history:
        show(explaining_words.tell_happening(happening))
