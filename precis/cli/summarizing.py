"""`precis summarize`: what was typed, turned into wishes; what came, shown.

How many texts travel at once and what ends the command is `sending`'s part.
"""

from typing import Annotated, Any, Final, Literal

import typer

from precis.cli.address import DEFAULT_DATA, DataOption, open_client
from precis.cli.documents import find_sources
from precis.cli.exits import CommandRefused, judge
from precis.cli.sending import Sending, Sent
from precis.client.errors import JobFailed, PrecisError, Refused
from precis.client.requests import SubmitOptions
from precis.client.summary import Length, Summary
from precis.screen.showing import say, show, show_citations, show_json

_LENGTHS: Final = ("short", "medium", "long")


def summarize(
    files: Annotated[
        list[str],
        typer.Argument(metavar="FILE...|-|DIR", help="Texts, or - for standard input."),
    ],
    *,
    tier: Annotated[
        Literal["auto", "realtime", "batch"],
        typer.Option(help="Which tier may serve it."),
    ] = "auto",
    length: Annotated[
        str | None, typer.Option(help="short, medium, long or a number of words.")
    ] = None,
    citations: Annotated[
        bool, typer.Option("--citations", help="Show which sentences support it.")
    ] = False,
    wait: Annotated[
        bool, typer.Option("--wait/--no-wait", help="Wait, or print the id and go.")
    ] = True,
    webhook: Annotated[
        str | None,
        typer.Option(metavar="URL|ID", help="Tell this URL or registered endpoint."),
    ] = None,
    email: Annotated[
        list[str] | None, typer.Option(help="Tell this address; may be repeated.")
    ] = None,
    as_json: Annotated[
        bool, typer.Option("--json", help="One JSON object per text and line.")
    ] = False,
    data: DataOption = DEFAULT_DATA,
) -> None:
    """Summarize plain text and Markdown files.

    For example:

    - `precis summarize report.md`
    - `precis summarize chapters/ --length short --json`
    - `precis summarize book.txt --no-wait --email me@example.com`
    - `cat notes.log | precis summarize - --tier realtime`
    """
    options = _options(
        tier=tier, length=length, citations=citations, webhook=webhook, email=email
    )
    sources = find_sources(files)
    output = (
        JsonOutput(waits=wait)
        if as_json
        else PlainOutput(waits=wait, is_single=len(sources) == 1, citations=citations)
    )
    with open_client(data) as client:
        sending = Sending(
            client, options, output=output, keeps_texts=citations and not as_json
        )
        status = sending.run(sources, waits=wait)
    raise typer.Exit(status)


class PlainOutput:
    """Summaries as people read them, under the names of their files."""

    def __init__(self, *, waits: bool, is_single: bool, citations: bool) -> None:
        self._waits = waits
        self._is_single = is_single
        self._citations = citations

    def accepted(self, name: str, summary: Summary) -> None:
        if not self._waits:
            show(f"{summary.id}  {summary.status}  {name}")
        elif summary.text is None:
            say(f"{name}: accepted as {summary.id} ({summary.routing.reason})")

    def finished(self, sent: Sent) -> None:
        text = sent.summary.text or ""
        if not self._is_single:
            show(f"# {sent.name}\n")
        show(text)
        if self._citations:
            show()
            show_citations(sent.summary.citations, summary=text, source=sent.source)
        if not self._is_single:
            show()
        for warning in sent.summary.warnings:
            say(f"{sent.name}: warning: {warning}")

    def failed(self, name: str, error: PrecisError | CommandRefused) -> None:
        if isinstance(error, CommandRefused):
            say(str(error))
            return
        say(f"{name}: {error}")
        say(judge(error).remedy)


class JsonOutput:
    """The job objects as the service sends them, each with its file's name."""

    def __init__(self, *, waits: bool) -> None:
        self._waits = waits

    def accepted(self, name: str, summary: Summary) -> None:
        if not self._waits:
            show_json({"file": name, **summary.raw})

    def finished(self, sent: Sent) -> None:
        show_json({"file": sent.name, **sent.summary.raw})

    def failed(self, name: str, error: PrecisError | CommandRefused) -> None:
        if isinstance(error, JobFailed):
            show_json({"file": name, **error.summary.raw})
        else:
            show_json({"file": name, "error": _problem(error)})


def _options(
    *,
    tier: Literal["auto", "realtime", "batch"],
    length: str | None,
    citations: bool,
    webhook: str | None,
    email: list[str] | None,
) -> SubmitOptions:
    options: SubmitOptions = {"tier": tier}
    if length is not None:
        options["length"] = parse_length(length)
    if citations:
        options["citations"] = True
    if webhook is not None:
        options["webhook"] = webhook
    if email:
        options["email"] = email
    return options


def parse_length(typed: str) -> Length:
    for name in _LENGTHS:
        if typed == name:
            return name
    if typed.isascii() and typed.isdigit():
        return int(typed[:9])
    message = "it is short, medium, long or a number of words"
    raise typer.BadParameter(message, param_hint="--length")


def _problem(error: PrecisError | CommandRefused) -> dict[str, Any]:
    """A refusal in the shape of a job's `error`, as far as it is known here."""
    if isinstance(error, Refused):
        problem = error.problem
        return {
            "code": problem.code,
            "title": problem.title,
            "detail": problem.detail,
            "status": problem.status,
            "request_id": problem.request_id,
        }
    return {"code": "not_sent", "title": str(error)}
