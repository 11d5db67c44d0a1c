"""`precis dead-letters ...`: what was given up, why, and sending it once more.

Two places hold such letters: the dead-letter topic in Kafka (records that were no hints
of ours) and the database (deliveries that failed ten times). The two modules beside
this one know them; they are imported by the commands, because they load slowly.
"""

from enum import StrEnum
from typing import TYPE_CHECKING, Annotated

import typer

from precis.cli.address import DEFAULT_DATA, DataOption
from precis.cli.exits import CommandRefused, Exit
from precis.screen.showing import say, show, show_json

if TYPE_CHECKING:
    from plumbing.settings import KafkaSettings
    from precis.cli.dead_letters_found import DeadLetter
    from precis.cli.operating import Operator

dead_letters = typer.Typer(
    no_args_is_help=True,
    help="Kafka records that were no hints, and deliveries that were given up. They "
    "need PRECIS_DATABASE_URL and PRECIS_KAFKA_BOOTSTRAP, or a data folder.",
)


class Kind(StrEnum):
    HINT = "hint"
    DELIVERY = "delivery"


LetterArgument = Annotated[
    str, typer.Argument(metavar="ID", help="As `list` shows it: 0/17 or del_...")
]
JsonOption = Annotated[
    bool, typer.Option("--json", help="A line per letter, for programs.")
]


@dead_letters.command("list")
def list_letters(
    *,
    kind: Annotated[Kind | None, typer.Option(help="Only these.")] = None,
    limit: Annotated[
        int, typer.Option(min=1, max=100_000, help="The latest so many of each kind.")
    ] = 100,
    data: DataOption = DEFAULT_DATA,
    as_json: JsonOption = False,
) -> None:
    """List what was given up: when, what and why; the latest last of each kind.

    Example: `precis dead-letters list --kind delivery`
    """
    from precis.cli.dead_letters_deliveries import list_deliveries  # noqa: PLC0415
    from precis.cli.dead_letters_hints import list_hints  # noqa: PLC0415
    from precis.cli.operating import operate  # noqa: PLC0415

    kafka = _kafka(data)

    async def deed(operator: "Operator") -> "list[DeadLetter]":
        found = []
        if kind is not Kind.DELIVERY:
            found += await list_hints(kafka, limit=limit)
        if kind is not Kind.HINT:
            found += await list_deliveries(operator, limit=limit)
        return found

    found = operate(deed, data=data)
    for letter in found:
        if as_json:
            show_json(letter.as_json())
        else:
            show(_line(letter))
    if not found:
        say("There are no dead letters.")


@dead_letters.command("show")
def show_letter(
    letter_id: LetterArgument,
    *,
    value: Annotated[
        bool,
        typer.Option("--value", help="Show what a record held; it may be anything."),
    ] = False,
    data: DataOption = DEFAULT_DATA,
    as_json: JsonOption = False,
) -> None:
    """Show one letter: where it came from, why it was given up, every attempt.

    Example: `precis dead-letters show 0/17 --value`
    """
    from precis.cli.dead_letters_deliveries import find_given_up  # noqa: PLC0415
    from precis.cli.dead_letters_hints import find_hint  # noqa: PLC0415
    from precis.cli.operating import operate  # noqa: PLC0415

    async def deed(operator: "Operator") -> "DeadLetter | None":
        if "/" in letter_id:
            return await find_hint(_kafka(data), letter_id)
        return await find_given_up(operator, letter_id)

    letter = operate(deed, data=data)
    if letter is None:
        raise _unknown(letter_id)
    shown = letter.as_json()
    if value and letter.value is not None:
        # Whatever bytes they are, as one line of ASCII.
        shown["value"] = ascii(letter.value.decode("utf-8", "backslashreplace"))[1:-1]
    if as_json:
        show_json(shown)
        return
    for name, fact in shown.items():
        if name == "tries":
            for each in fact:
                show(f"{'try':<9} {_words(each)}")
        else:
            show(f"{name:<9} {'-' if fact is None else fact}")


@dead_letters.command()
def replay(letter_id: LetterArgument, *, data: DataOption = DEFAULT_DATA) -> None:
    """Send one letter again, or tell why that would be of no use.

    Example: `precis dead-letters replay del_0199a1b2c3d47e8f9a0b1c2d3e4f5a6b`
    """
    from precis.cli.dead_letters_deliveries import replay_given_up  # noqa: PLC0415
    from precis.cli.dead_letters_hints import replay_hint  # noqa: PLC0415
    from precis.cli.operating import operate  # noqa: PLC0415

    async def deed(operator: "Operator") -> str | None:
        if "/" in letter_id:
            return await replay_hint(operator, _kafka(data), letter_id)
        return await replay_given_up(operator, letter_id)

    done = operate(deed, data=data)
    if done is None:
        raise _unknown(letter_id)
    show(f"{letter_id} is sent again: {done}")


def _kafka(data: DataOption) -> "KafkaSettings":
    """Where Kafka is; its library's own log would only repeat what the command says."""
    from plumbing.logs import configure_logs  # noqa: PLC0415
    from plumbing.settings import (  # noqa: PLC0415
        KafkaSettings,
        ServiceSettings,
        read_settings,
    )
    from precis.cli.operating import read_told  # noqa: PLC0415

    quiet = read_settings(ServiceSettings, log_level="CRITICAL")
    configure_logs(quiet, service="dead-letters")
    return read_told(KafkaSettings, data=data)


def _line(letter: "DeadLetter") -> str:
    at = f"{letter.at:%Y-%m-%d %H:%M:%S}" if letter.at else "-"
    return f"{at}  {letter.id:<12}  {letter.error}  {_words(letter.told)}"


def _words(facts: dict[str, object]) -> str:
    return " ".join(f"{k}={v}" for k, v in facts.items() if v is not None)


def _unknown(letter_id: str) -> CommandRefused:
    return CommandRefused(
        f"There is no dead letter {letter_id}. `precis dead-letters list` shows them.",
        status=Exit.NOT_FOUND,
    )
