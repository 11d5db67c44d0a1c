"""Erasures as JSON lines: out of the ledger, and from there into a restored database.

A file appears whole or not at all. A replay takes each erasure in a transaction of its
own and may be repeated, so an interrupted one is simply started again.
"""

import json
import os
import sys
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from typing import Any, Final, TextIO
from uuid import UUID

from jobs.ids import ERASURE, SUMMARY, TENANT, parse_id, show_id
from jobs.operations.erase import Replayed, replay
from jobs.store.erasure_store import Erasure, list_erasures
from plumbing.database import Database
from plumbing.settings import DatabaseSettings, read_settings
from precis.cli.exits import CommandRefused, Exit
from precis.cli.tables import open_database

_STREAM: Final = "-"
_PAGE: Final = 1000


async def export(file: str, *, since: datetime | None) -> int:
    """Write the ledger's lines in the order of their ids; gives how many."""
    async with open_database(read_settings(DatabaseSettings)) as database:
        with _writing(file) as stream:
            return await _export(database, stream, since=since)


async def replay_all(file: str, *, on_unknown: Callable[[str], None]) -> Counter[str]:
    """Carry out every line's erasure; a line that is none ends it with its number."""
    met = Counter[str]()
    async with open_database(read_settings(DatabaseSettings)) as database:
        with _reading(file) as stream:
            for number, line in enumerate(stream, start=1):
                erasure = _parse(line, number)
                async with database.transaction() as tx:
                    outcome = await replay(tx, erasure)
                met[outcome] += 1
                if outcome is Replayed.UNKNOWN:
                    on_unknown(show_id(SUMMARY, erasure.job_id))
    return met


async def _export(database: Database, stream: TextIO, *, since: datetime | None) -> int:
    count, after = 0, None
    while True:
        async with database.statement() as tx:
            page = await list_erasures(tx, since=since, after=after, limit=_PAGE)
        stream.writelines(json.dumps(_line(erasure)) + "\n" for erasure in page)
        count += len(page)
        if len(page) < _PAGE:
            return count
        after = page[-1].id


def _line(erasure: Erasure) -> dict[str, str]:
    return {
        "id": show_id(ERASURE, erasure.id),
        "summary_id": show_id(SUMMARY, erasure.job_id),
        "tenant_id": show_id(TENANT, erasure.tenant_id),
        "requested_at": erasure.requested_at.isoformat(),
        "erased_at": erasure.erased_at.isoformat(),
    }


def _parse(line: str, number: int) -> Erasure:
    try:
        told = json.loads(line)
        return Erasure(
            id=_id(ERASURE, told["id"]),
            job_id=_id(SUMMARY, told["summary_id"]),
            tenant_id=_id(TENANT, told["tenant_id"]),
            requested_at=_moment(told["requested_at"]),
            erased_at=_moment(told["erased_at"]),
        )
    except (ValueError, KeyError, TypeError) as error:
        raise CommandRefused(
            f"Line {number} is no erasure of `precis erasures export`. The lines before "
            "it were carried out; mend the file and repeat the command.",
            status=Exit.USAGE,
        ) from error


def _id(prefix: str, shown: Any) -> UUID:
    value = parse_id(prefix, shown)
    if value is None:
        raise ValueError(prefix)
    return value


def _moment(shown: Any) -> datetime:
    moment = datetime.fromisoformat(shown)
    if moment.tzinfo is None:
        raise ValueError("a time without its zone")
    return moment


@contextmanager
def _writing(file: str) -> Iterator[TextIO]:
    if file == _STREAM:
        yield sys.stdout
        return
    unfinished = Path(f"{file}.unfinished")
    with _told(file), unfinished.open("w", encoding="utf-8") as stream:
        yield stream
        stream.flush()
        os.fsync(stream.fileno())
    with _told(file):
        unfinished.replace(file)


@contextmanager
def _reading(file: str) -> Iterator[TextIO]:
    if file == _STREAM:
        yield sys.stdin
        return
    with _told(file), Path(file).open(encoding="utf-8", errors="replace") as stream:
        yield stream


@contextmanager
def _told(file: str) -> Iterator[None]:
    """An error of the file, in words."""
    try:
        yield
    except OSError as error:
        raise CommandRefused(
            f"{file} cannot be used: {error.strerror}.", status=Exit.USAGE
        ) from error
