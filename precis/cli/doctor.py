"""`precis doctor`: is everything there that the processes need, and does it fit?

A line per check, with the remedy where one is needed. Nothing is changed, no secret is
shown, and one part that is away does not keep the others from being looked at.
"""

import asyncio
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Final

import typer

from precis.cli.address import DEFAULT_DATA, DataOption
from precis.cli.exits import Exit
from precis.screen.showing import say, show, show_json

if TYPE_CHECKING:
    from precis.cli.doctor_findings import Finding

_LONGEST_SECONDS: Final = 30


def doctor(
    *,
    data: DataOption = DEFAULT_DATA,
    as_json: Annotated[
        bool, typer.Option("--json", help="A line per check, for programs.")
    ] = False,
) -> None:
    """Check settings, versions, tables, rights, clock, keys, and that each part answers.

    It looks at what the environment names, or at the stack in the data folder, and ends
    with 0 if nothing failed.

    Example: `precis doctor --data .precis`
    """
    from plumbing.logs import configure_logs  # noqa: PLC0415 - loads slowly
    from plumbing.settings import ServiceSettings, read_settings  # noqa: PLC0415
    from precis.cli.doctor_findings import Verdict  # noqa: PLC0415

    # What the parts' libraries log about a part that is away, the findings say better.
    quiet = read_settings(ServiceSettings, log_level="CRITICAL")
    configure_logs(quiet, service="doctor")
    findings = asyncio.run(_examine(data))
    for found in findings:
        if as_json:
            show_json(found.as_json())
        else:
            show(f"{found.verdict:<5} {found.check:<16} {found.told}")
            if found.remedy:
                show(f"{'':<22} {found.remedy}")
    failed = sum(found.verdict is Verdict.FAIL for found in findings)
    if failed:
        say(f"{failed} of {len(findings)} checks failed")
        raise typer.Exit(Exit.NOT_DONE)


async def _examine(data: Path) -> "list[Finding]":
    """All checks side by side; their findings in a fixed order."""
    from precis.cli import doctor_parts  # noqa: PLC0415 - Kafka, Celery and the like
    from precis.cli.doctor_database import check_database  # noqa: PLC0415
    from precis.cli.doctor_engines import check_engines  # noqa: PLC0415
    from precis.cli.doctor_processes import check_processes  # noqa: PLC0415
    from precis.cli.doctor_settings import check_settings  # noqa: PLC0415

    checks: dict[str, Callable[[Path], Awaitable[list[Finding]]]] = {
        "settings": check_settings,
        "postgres": check_database,
        "kafka": doctor_parts.check_kafka,
        "valkey": doctor_parts.check_valkey,
        "mail": doctor_parts.check_mail,
        "engines": check_engines,
        "processes": check_processes,
    }
    outcomes = await asyncio.gather(
        *(asyncio.wait_for(check(data), _LONGEST_SECONDS) for check in checks.values()),
        return_exceptions=True,
    )
    return [
        found
        for name, outcome in zip(checks, outcomes, strict=True)
        for found in _told(name, outcome)
    ]


def _told(name: str, outcome: "list[Finding] | BaseException") -> "list[Finding]":
    """An error that nobody expected is a finding as well; its class says enough."""
    from precis.cli.doctor_findings import fail  # noqa: PLC0415 - as above

    if not isinstance(outcome, BaseException):
        return outcome
    told = f"the check broke off ({type(outcome).__name__})"
    return [fail(name, told, remedy="Repeat it; if it stays, this is a bug of ours.")]
