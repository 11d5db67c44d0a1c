"""`precis`: the commands, and the edge where an error becomes a sentence and a status.

Errors that are expected end in words with a remedy and a code from `exits`; what is
not expected is a bug and keeps its trace.
"""

import sys
from typing import Final

import typer

from plumbing.settings import SettingsRefused
from precis.cli import explaining, following, running
from precis.cli.admin import admin
from precis.cli.dead_letters import dead_letters
from precis.cli.doctor import doctor
from precis.cli.erasures import erasures
from precis.cli.exits import MEANINGS, CommandRefused, Exit, Verdict, judge
from precis.cli.summarizing import summarize
from precis.client.errors import Busy, PrecisError
from precis.screen.showing import say

_EXIT_CODES: Final = "  \n".join(
    f"{code.value}: {meaning}" for code, meaning in MEANINGS.items()
)
_HELP: Final = f"""Summaries of short texts at once, of long ones when they are ready.

The service is the one that PRECIS_URL and PRECIS_API_KEY name; without them the one
whose `ready.json` lies in the data folder (.precis, or --data DIR).

Examples:

    precis up

    precis summarize report.md

    precis summarize book.txt --no-wait

    precis result sum_0199a1b2c3d47e8f9a0b1c2d3e4f5a6b --wait

Exit codes:

{_EXIT_CODES}
"""

# Locals in a trace would show texts and keys.
app = typer.Typer(
    help=_HELP,
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode="markdown",
)
app.command()(summarize)
app.command()(following.status)
app.command()(following.result)
app.command("list")(following.list_summaries)
app.command()(following.cancel)
app.command()(following.delete)
app.command()(running.up)
app.command()(running.demo)
app.command()(running.migrate)
app.command()(doctor)
app.command()(explaining.explain)
app.add_typer(dead_letters, name="dead-letters")
app.add_typer(erasures, name="erasures")
app.add_typer(admin, name="admin")


def main() -> None:
    """Run the command of the arguments; ends the process with its status."""
    try:
        app()
    except PrecisError as error:
        _end(str(error), _with_time(error, judge(error)))
    except CommandRefused as error:
        _end(str(error), Verdict(error.status, ""))
    except SettingsRefused as error:
        _end(str(error), Verdict(Exit.USAGE, "Set these variables and repeat it."))


def _end(message: str, verdict: Verdict) -> None:
    say(f"precis: {message}")
    if verdict.remedy:
        say(verdict.remedy)
    sys.exit(verdict.status)


def _with_time(error: PrecisError, verdict: Verdict) -> Verdict:
    if isinstance(error, Busy) and error.retry_after is not None:
        seconds = int(error.retry_after.total_seconds())
        return Verdict(verdict.status, f"Try again in {seconds} seconds.")
    return verdict
