"""The files that a person names, as texts: plain text and Markdown, in UTF-8.

Names are looked at before anything is sent, so a wrong one costs nothing; contents are
read one at a time, so a folder of books is never in memory at once. Line ends are kept
as they are: offsets in citations count what is in the file.
"""

import sys
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from precis.cli.exits import CommandRefused, Exit

SUFFIXES: Final = (".txt", ".text", ".md", ".markdown")
STDIN: Final = "-"


@dataclass(frozen=True, slots=True)
class Document:
    name: str
    text: str = field(repr=False)


@dataclass(frozen=True, slots=True)
class Source:
    """Where a text will be read from; no path means standard input."""

    name: str
    path: Path | None

    def read(self) -> Document:
        """The text, without a byte order mark, or the reason why there is none."""
        try:
            content = _read_bytes(self.path)
            return Document(self.name, content.decode("utf-8-sig"))
        except UnicodeDecodeError as error:
            raise _unusable(
                f"{self.name} is not UTF-8 (byte {error.start}). Convert it first, "
                "for example: iconv -f WINDOWS-1252 -t UTF-8 FILE > NEW.txt"
            ) from error
        except OSError as error:
            raise _unusable(
                f"{self.name} cannot be read: {error.strerror or error}."
            ) from error


def find_sources(names: Sequence[str]) -> list[Source]:
    """All texts behind the names, in their order; a folder's files by name."""
    if names.count(STDIN) > 1:
        raise _unusable("Standard input (-) can be read only once.")
    return [source for name in names for source in _find(name)]


def _find(name: str) -> list[Source]:
    if name == STDIN:
        return [Source("standard input", None)]
    path = Path(name)
    if path.is_dir():
        return _look_into(path)
    if not path.exists():
        raise _unusable(f"There is no file {name}.")
    if path.suffix.lower() not in SUFFIXES:
        raise _unusable(
            f"{name} is refused: only plain text and Markdown are read for now "
            f"({', '.join(SUFFIXES)}). Extract the text first; a text file of another "
            "name goes through standard input: precis summarize - < FILE"
        )
    return [Source(name, path)]


def _look_into(folder: Path) -> list[Source]:
    """The texts that lie in the folder itself; others and hidden ones are left alone."""
    found = [
        Source(str(path), path)
        for path in sorted(folder.iterdir())
        if path.suffix.lower() in SUFFIXES
        and path.is_file()
        and not path.name.startswith(".")
    ]
    if not found:
        raise _unusable(
            f"There is no {' or '.join(SUFFIXES)} file in the folder {folder}."
        )
    return found


def _read_bytes(path: Path | None) -> bytes:
    return sys.stdin.buffer.read() if path is None else path.read_bytes()


def _unusable(message: str) -> CommandRefused:
    return CommandRefused(message, status=Exit.USAGE)
