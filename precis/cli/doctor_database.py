"""Postgres as the doctor sees it: version, tables, rights, clock, master key, and work.

What needs the tables is looked at only where they are those of this version.
"""

from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Final

from jobs.store.canary_store import MasterKeyWrong, check_master_key
from jobs.store.pause_store import list_pauses
from jobs.store.worker_store import read_load
from migrations.standing import (
    find_revision,
    known_revisions,
    list_missing_rights,
    look_at_tables,
)
from plumbing.database import Database, Transaction
from plumbing.database_facts import Server, read_server
from plumbing.sealing import KeyMalformed, MasterKey
from plumbing.settings import DatabaseSettings, MasterKeySettings, SettingsRefused
from precis.cli.doctor_findings import Finding, Verdict, fail, ok, warn
from precis.cli.exits import CommandRefused
from precis.cli.operating import is_told_by_stack, read_told
from precis.cli.tables import open_database

_OLDEST: Final = 150000
_MIGRATE: Final = "`precis migrate` brings it there, as the tables' owner."
# Receivers judge signatures by a clock; five minutes off and they refuse them all.
_CLOCK_NOTABLE: Final = timedelta(seconds=2)
_CLOCK_WRONG: Final = timedelta(seconds=60)
_SHOWN: Final = 3


async def check_database(data: Path) -> list[Finding]:
    try:
        settings = read_told(DatabaseSettings, data=data)
    except SettingsRefused:
        remedy = f"Set PRECIS_DATABASE_URL, or let --data name a stack; {data} is none."
        return [fail("postgres", "nobody says where it is", remedy=remedy)]
    try:
        async with open_database(settings) as database:
            return await _examine(database, data)
    except CommandRefused as refusal:
        return [fail("postgres", "no connection", remedy=str(refusal))]


async def _examine(database: Database, data: Path) -> list[Finding]:
    await database.ping()  # connecting takes long and would blur the clock
    async with database.transaction() as tx:
        asked_at = datetime.now(UTC)
        server = await read_server(tx)
        middle = asked_at + (datetime.now(UTC) - asked_at) / 2
        found = [_check_server(server), _check_clock(server.now - middle)]
        tables = await _check_tables(tx, server)
        found.append(tables)
        if tables.verdict is Verdict.OK:
            found += await _check_rights(tx)
            found += _check_login(server, data)
            found += await _check_master_key(tx, data)
            found.append(await _check_workers(tx))
            found += await _check_pauses(tx)
    return found


def _check_server(server: Server) -> Finding:
    shown = f"version {server.version}, as {server.user}"
    if server.number < _OLDEST:
        return fail("postgres", shown, remedy="Precis needs Postgres 15 or newer.")
    if server.only_reads:
        return fail(
            *("postgres", f"{shown}, which accepts no writes"),
            remedy="Name the primary in PRECIS_DATABASE_URL, not a standby.",
        )
    return ok("postgres", shown)


def _check_clock(ahead: timedelta) -> Finding:
    seconds = ahead.total_seconds()
    told = f"Postgres's is {seconds:+.3f} s from this machine's"
    remedy = "Let both follow a time server (chrony, systemd-timesyncd)."
    if abs(ahead) >= _CLOCK_WRONG:
        return fail("clock", told, remedy=remedy)
    if abs(ahead) >= _CLOCK_NOTABLE:
        return warn("clock", told, remedy=remedy)
    return ok("clock", told)


async def _check_tables(tx: Transaction, server: Server) -> Finding:
    tables = await look_at_tables(tx)
    if not tables.exist:
        return fail("tables", "there are none", remedy=_MIGRATE)
    if not tables.readable:
        return fail(
            *("tables", f"{server.user} may not look at them"),
            remedy="Use an operator's login in PRECIS_DATABASE_URL.",
        )
    revision, known = await find_revision(tx), known_revisions()
    if revision == known[0]:
        return ok("tables", f"at revision {revision}, the newest")
    if revision is None or revision in known:
        missing = len(known) if revision is None else known.index(revision)
        told = f"at revision {revision}, {missing} behind {known[0]}"
        return fail("tables", told, remedy=_MIGRATE)
    return fail(
        *("tables", f"at revision {revision}, which this version does not know"),
        remedy="A newer version has changed them: install that one here.",
    )


async def _check_rights(tx: Transaction) -> list[Finding]:
    missing = await list_missing_rights(tx)
    if not missing:
        return [ok("rights", "every role has what it needs, rows are kept apart")]
    more = f" and {len(missing) - _SHOWN} more" if len(missing) > _SHOWN else ""
    told = f"missing: {', '.join(missing[:_SHOWN])}{more}"
    remedy = "`precis migrate`, as the tables' owner, puts all rights in force."
    return [fail("rights", told, remedy=remedy)]


def _check_login(server: Server, data: Path) -> list[Finding]:
    """In a stack of one machine this is the owner's; its processes have their own."""
    if not server.is_superuser or is_told_by_stack(data):
        return []
    return [
        warn(
            *("login", f"{server.user} may do anything"),
            remedy="Give each kind of process the login that `python -m "
            "migrations.logins` makes for it.",
        )
    ]


async def _check_master_key(tx: Transaction, data: Path) -> list[Finding]:
    try:
        keys = read_told(MasterKeySettings, data=data).master_keys
        await check_master_key(tx, MasterKey(*keys))
    except MasterKeyWrong as error:
        remedy = str(error).partition(": it does not open what this database holds. ")[
            2
        ]
        told = "it does not open what this database holds"
        return [fail("master key", told, remedy=f"{remedy}.")]
    except (SettingsRefused, KeyMalformed):
        return []  # told with the settings
    return [ok("master key", "it opens what this database holds")]


async def _check_workers(tx: Transaction) -> Finding:
    load = await read_load(tx, enough=1)
    told = f"{load.workers} alive, {load.running} of {load.slots} slots taken"
    if load.workers == 0:
        return warn("workers", told, remedy="Start one: long texts wait for it.")
    return ok("workers", told)


async def _check_pauses(tx: Transaction) -> list[Finding]:
    return [
        warn(
            *("pauses", f"{pause.scope} {pause.name} is paused by {pause.actor}"),
            remedy=f"`precis admin resume {pause.scope} {pause.name}` ends it.",
        )
        for pause in await list_pauses(tx)
    ]
