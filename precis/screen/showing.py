"""What people see. Results go to standard output, everything else to standard error.

Summaries and names are written by others: control characters are taken out, so that
none of them can steer the terminal.
"""

import json
import re
from collections.abc import Iterable, Mapping
from typing import Any, Final

import typer

from precis.client.summary import Citation, Section, Summary

# C0 but tab and newline, DEL and C1; and what turns the direction of a line.
_STEERING: Final = re.compile(
    "[\x00-\x08\x0b-\x1f\x7f-\x9f\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069]"
)
_QUOTE_LENGTH: Final = 300
_ROW: Final = "{:<36}  {:<9}  {:<8}  {:>4}  {}"


def harmless(text: str) -> str:
    return _STEERING.sub("", text)


def say(message: str) -> None:
    """A line for the person, beside the result."""
    typer.echo(harmless(message), err=True)


def show(text: str = "") -> None:
    """A line of the result."""
    typer.echo(harmless(text))


def show_json(value: Mapping[str, Any]) -> None:
    """One line per object, for programs; ASCII, so nothing in it steers a terminal."""
    typer.echo(json.dumps(value))


def show_citations(
    citations: Iterable[Citation], *, summary: str, source: str | None
) -> None:
    """Each sentence that has a source; its words where the text is at hand."""
    for number, citation in enumerate(citations, start=1):
        sentence = summary[citation.sentence_start : citation.sentence_end]
        place = f"{citation.source_start}-{citation.source_end}"
        show(f"[{number}] {_one_line(sentence)}")
        if source is None:
            show(f"    characters {place}")
        else:
            quote = source[citation.source_start : citation.source_end]
            show(f"    characters {place}: {_one_line(quote)}")


def show_sections(sections: Iterable[Section]) -> None:
    for section in sections:
        show(f"## Section {section.index + 1} ({section.start}-{section.end})")
        show(section.summary)
        show()


def show_status(summary: Summary) -> None:
    for name, value in _facts(summary):
        show(f"{name:<9} {value}")


def show_table(summaries: Iterable[Summary]) -> None:
    """Columns of their full width, also in a pipe: ids are there to be copied."""
    show(_ROW.format("ID", "STATUS", "TIER", "DONE", "CREATED (UTC)"))
    for summary in summaries:
        show(_ROW.format(*_cells(summary)))


def _facts(summary: Summary) -> Iterable[tuple[str, str]]:
    progress, routing = summary.progress, summary.routing
    yield "id", summary.id
    yield "status", summary.status
    if summary.cancel_requested and not summary.is_final:
        yield "cancel", "requested"
    yield "tier", f"{summary.tier} ({routing.reason}, {routing.tokens} tokens)"
    yield "progress", f"{progress.percent}% {progress.phase} {_counted(summary)}"
    yield "created", f"{summary.created_at:%Y-%m-%d %H:%M:%S} UTC"
    if summary.finished_at:
        yield "finished", f"{summary.finished_at:%Y-%m-%d %H:%M:%S} UTC"
    elif summary.deadline:
        yield "deadline", f"{summary.deadline:%Y-%m-%d %H:%M:%S} UTC"
    if summary.warnings:
        yield "warnings", ", ".join(summary.warnings)
    if summary.error:
        yield "error", str(summary.error)


def _cells(summary: Summary) -> tuple[str, ...]:
    return (
        summary.id,
        summary.status,
        summary.tier,
        f"{summary.progress.percent}%",
        f"{summary.created_at:%Y-%m-%d %H:%M}",
    )


def _counted(summary: Summary) -> str:
    progress = summary.progress
    return f"{progress.done}/{progress.total}" if progress.total else ""


def _one_line(text: str) -> str:
    line = " ".join(text.split())
    return line if len(line) <= _QUOTE_LENGTH else line[:_QUOTE_LENGTH] + "…"
