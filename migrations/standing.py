"""How far a database's tables and rights are from what this version needs.

For whoever checks before something starts. Bringing them there is `upgrade`'s.
"""

import re
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from alembic.config import Config
from alembic.script import ScriptDirectory
from sqlalchemy import text

from migrations.rights import PRIVATE, RIGHTS
from plumbing.database import Transaction


def known_revisions() -> list[str]:
    """All of this version, the newest first."""
    config = Config()
    config.set_main_option("script_location", str(Path(__file__).parent))
    scripts = ScriptDirectory.from_config(config)
    return [script.revision for script in scripts.walk_revisions()]


@dataclass(frozen=True, slots=True, kw_only=True)
class Tables:
    exist: bool
    readable: bool
    """By us; only an operator's login and the tables' owner may look."""


_TABLES: Final = """
SELECT v.oid IS NOT NULL AS exist, coalesce(
       has_table_privilege(v.oid, 'SELECT'), false) AS readable
FROM (SELECT to_regclass('public.alembic_version') AS oid) v
"""


async def look_at_tables(tx: Transaction) -> Tables:
    row = (await tx.execute(text(_TABLES))).one()
    return Tables(exist=row.exist, readable=row.readable)


async def find_revision(tx: Transaction) -> str | None:
    """Where the tables stand; None: at no revision."""
    revision = await tx.scalar(text("SELECT version_num FROM alembic_version"))
    return None if revision is None else str(revision)


_MISSING: Final = """
SELECT n.role, n.name, n.verb
FROM unnest(CAST(:roles AS text[]), CAST(:names AS text[]), CAST(:verbs AS text[]))
     AS n (role, name, verb)
LEFT JOIN pg_roles r ON r.rolname = n.role
LEFT JOIN pg_class c ON c.oid = to_regclass('public.' || n.name)
WHERE NOT coalesce(CASE
    WHEN c.relkind = 'S' THEN has_sequence_privilege(r.oid, c.oid, n.verb)
    WHEN n.verb = 'DELETE' THEN has_table_privilege(r.oid, c.oid, n.verb)
    ELSE has_any_column_privilege(r.oid, c.oid, n.verb) END, false)
"""
_OPEN: Final = """
SELECT relname FROM pg_class
WHERE oid = ANY(SELECT to_regclass('public.' || name) FROM unnest(CAST(:names AS text[])) name)
  AND NOT (relrowsecurity AND relforcerowsecurity) ORDER BY relname
"""
_VERB: Final = re.compile(r"\b(SELECT|INSERT|UPDATE|DELETE)\b")


async def list_missing_rights(tx: Transaction) -> list[str]:
    """What `rights` gives and the database does not, and tables open to every tenant.

    A right is looked for by its verb, not column by column: what is meant to be found
    is a database whose rights were never put in force, or not those of this version.
    """
    wanted = [
        (role, name, verb)
        for role, rights in RIGHTS.items()
        for name, granted in rights.items()
        for verb in sorted(set(_VERB.findall(granted)))
    ]
    roles, names, verbs = (list(column) for column in zip(*wanted, strict=True))
    values = {"roles": roles, "names": names, "verbs": verbs}
    missing = await tx.execute(text(_MISSING), values)
    opened = await tx.execute(text(_OPEN), {"names": list(PRIVATE)})
    return [f"{row.role}: {row.verb} on {row.name}" for row in missing] + [
        f"row security of {row.relname}" for row in opened
    ]
