"""The progress bar of one job, on a terminal; elsewhere there is none.

It shows what the service counted, never a guess. Its last line goes away, so that only
the summary stays.
"""

from collections.abc import Iterator
from contextlib import contextmanager

from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn

from precis.client.flows import OnProgress
from precis.client.summary import Summary
from precis.screen.showing import harmless


@contextmanager
def bar(name: str) -> Iterator[OnProgress | None]:
    """What to call with each new state; None where nobody would see it."""
    console = Console(stderr=True, highlight=False)
    if not console.is_terminal:
        yield None
        return
    with _columns(console) as progress:
        task = progress.add_task(harmless(name), total=100, phase="waiting", count="")

        def update(summary: Summary) -> None:
            told = summary.progress
            count = f"{told.done}/{told.total}" if told.total else ""
            progress.update(task, completed=told.percent, phase=told.phase, count=count)

        yield update


def _columns(console: Console) -> Progress:
    return Progress(
        TextColumn("{task.description}", markup=False),
        BarColumn(),
        TextColumn("{task.percentage:>3.0f}%"),
        TextColumn("{task.fields[phase]} {task.fields[count]}", markup=False),
        TimeElapsedColumn(),
        console=console,
        transient=True,
    )
