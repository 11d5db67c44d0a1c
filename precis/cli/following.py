"""`precis status`, `result`, `list`, `cancel`, `delete`: summaries that are there already."""

import itertools
from enum import StrEnum
from typing import Annotated, Final

import typer

from precis.cli.address import DEFAULT_DATA, DataOption, open_client
from precis.client.blocking import Client
from precis.client.page import ListOptions
from precis.screen.progress import bar
from precis.screen.showing import (
    say,
    show,
    show_citations,
    show_json,
    show_sections,
    show_status,
    show_table,
)

_PAGE_MAX: Final = 100


class Status(StrEnum):
    """typer takes a list of choices only as an enumeration."""

    QUEUED = "queued"
    RUNNING = "running"
    SUCCEEDED = "succeeded"
    FAILED = "failed"
    CANCELLED = "cancelled"
    EXPIRED = "expired"


IdArgument = Annotated[str, typer.Argument(metavar="ID", help="sum_...")]
JsonOption = Annotated[
    bool, typer.Option("--json", help="JSON as the service sends it.")
]


def status(
    summary_id: IdArgument,
    *,
    as_json: JsonOption = False,
    data: DataOption = DEFAULT_DATA,
) -> None:
    """Show where a summary stands.

    Example: `precis status sum_0199a1b2c3d47e8f9a0b1c2d3e4f5a6b`
    """
    with open_client(data) as client:
        summary = client.get(summary_id)
    if as_json:
        show_json(summary.raw)
    else:
        show_status(summary)


def result(
    summary_id: IdArgument,
    *,
    wait: Annotated[
        bool, typer.Option("--wait", help="Wait until it is finished.")
    ] = False,
    partial: Annotated[
        bool, typer.Option("--partial", help="Show the sections finished so far.")
    ] = False,
    citations: Annotated[
        bool, typer.Option("--citations", help="Show what supports each sentence.")
    ] = False,
    as_json: JsonOption = False,
    data: DataOption = DEFAULT_DATA,
) -> None:
    """Print a finished summary, or with --partial what is finished of one.

    For example:

    - `precis result sum_0199a1b2c3d47e8f9a0b1c2d3e4f5a6b --wait`
    - `precis result sum_0199a1b2c3d47e8f9a0b1c2d3e4f5a6b --partial`
    """
    with open_client(data) as client:
        if partial:
            _show_partial(client, summary_id, as_json=as_json)
            return
        if wait:
            with bar(summary_id) as on_progress:
                client.wait(summary_id, on_progress=on_progress)
        found = client.result(summary_id)
    if as_json:
        show_json(found.raw)
        return
    show(found.text)
    if citations:
        show()
        show_citations(found.citations, summary=found.text, source=None)


def list_summaries(
    *,
    status: Annotated[
        list[Status] | None,
        typer.Option(help="Only those; may be repeated."),
    ] = None,
    limit: Annotated[int, typer.Option(min=1, help="At most so many.")] = 20,
    as_json: JsonOption = False,
    data: DataOption = DEFAULT_DATA,
) -> None:
    """List summaries, the newest first.

    For example:

    - `precis list`
    - `precis list --status failed --status expired --limit 500 --json`
    """
    options: ListOptions = {"page_size": min(limit, _PAGE_MAX)}
    if status:
        options["status"] = [each.value for each in status]
    with open_client(data) as client:
        found = itertools.islice(client.list(**options), limit)
        if as_json:
            for summary in found:
                show_json(summary.raw)
        else:
            show_table(list(found))


def cancel(
    summary_id: IdArgument,
    *,
    as_json: JsonOption = False,
    data: DataOption = DEFAULT_DATA,
) -> None:
    """Ask for the end of a job. It may be repeated.

    Example: `precis cancel sum_0199a1b2c3d47e8f9a0b1c2d3e4f5a6b`
    """
    with open_client(data) as client:
        summary = client.cancel(summary_id)
    if as_json:
        show_json(summary.raw)
    elif summary.is_final:
        show(f"{summary.id} ended as {summary.status}")
    else:
        show(f"{summary.id} is asked to end; its worker will hear of it")


def delete(
    summary_id: IdArgument,
    *,
    as_json: JsonOption = False,
    data: DataOption = DEFAULT_DATA,
) -> None:
    """Erase a text, its summary and all else that is held of it, for good.

    A job that still runs is cancelled. Example:
    `precis delete sum_0199a1b2c3d47e8f9a0b1c2d3e4f5a6b`
    """
    with open_client(data) as client:
        erasure = client.delete(summary_id)
    if as_json:
        show_json(erasure.raw)
    else:
        show(f"{erasure.summary_id} was erased; the receipt is {erasure.id}")


def _show_partial(client: Client, summary_id: str, *, as_json: bool) -> None:
    found = client.partial(summary_id)
    if as_json:
        show_json(found.raw)
        return
    show_sections(found.sections)
    if not found.is_complete:
        say(f"{len(found.sections)} sections are finished; this is not all of it.")
