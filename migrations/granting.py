"""Puts the rights of `rights` in force: roles, row security, then every grant anew.

Runs after the revisions, under their lock and in one transaction, so that no process
sees a moment without its rights. Row security is touched only where it differs, since
that locks the table. Logins are `logins`' part.
"""

from collections.abc import Iterator, Sequence
from typing import Final

from sqlalchemy import Connection, exc, text

from migrations.rights import CALLER, PRIVATE, RIGHTS, Rights

ROLES: Final = tuple(RIGHTS)
_SEQUENCES: Final = frozenset({"fair_clock"})
# Of which role the members may be another one for a while, without having its rights.
_BECOMES: Final = {"precis_gateway": CALLER}


class RightsRefused(Exception):
    """The user who migrates may not make the roles; the message says who may, and how."""


def grant_rights(connection: Connection) -> None:
    """Make what is missing, take all rights away and give those that are listed."""
    _make_roles(connection)
    for table, visible in PRIVATE.items():
        _narrow(connection, table, visible)
    roles = ", ".join(ROLES)
    for everything in ("TABLES", "SEQUENCES"):
        _run(
            connection,
            f"REVOKE ALL ON ALL {everything} IN SCHEMA public FROM PUBLIC, {roles}",
        )
    _run(connection, f"GRANT USAGE ON SCHEMA public TO {roles}")
    for role, rights in RIGHTS.items():
        for statement in _grants(role, rights):
            _run(connection, statement)


def _grants(role: str, rights: Rights) -> Iterator[str]:
    for name, granted in rights.items():
        kind = "SEQUENCE " if name in _SEQUENCES else ""
        yield f"GRANT {granted} ON {kind}{name} TO {role}"


def _make_roles(connection: Connection) -> None:
    missing = list(_missing(connection))
    try:
        for statement in missing:
            _run(connection, _UNLESS_THERE.format(statement=statement))
    except exc.ProgrammingError as error:
        raise RightsRefused(_remedy(missing)) from error


# Roles belong to the whole server: another database of it may make them just now.
_UNLESS_THERE: Final = """
DO $$ BEGIN
    {statement};
EXCEPTION WHEN duplicate_object OR unique_violation THEN NULL;
END $$
"""


def _missing(connection: Connection) -> Iterator[str]:
    """What makes the roles and memberships that are not there; none of it is secret."""
    for role in ROLES:
        if not _exists(connection, role):
            yield f"CREATE ROLE {role} NOLOGIN NOINHERIT"
    for outer, inner in _BECOMES.items():
        if not _is_member(connection, outer, inner):
            yield f"GRANT {inner} TO {outer}"
    user, is_superuser = connection.execute(
        text("SELECT current_user, rolsuper FROM pg_roles WHERE rolname = current_user")
    ).one()
    # Forced row security binds the owner of the tables as well, who migrates.
    if not is_superuser and not _is_member(connection, user, "precis_operator"):
        yield f'GRANT precis_operator TO "{user}"'


def _exists(connection: Connection, role: str) -> bool:
    found = connection.scalar(
        text("SELECT 1 FROM pg_roles WHERE rolname = :role"), {"role": role}
    )
    return found is not None


def _is_member(connection: Connection, member: str, role: str) -> bool:
    found = connection.scalar(
        text(
            "SELECT 1 FROM pg_auth_members m JOIN pg_roles r ON r.oid = m.roleid"
            " JOIN pg_roles u ON u.oid = m.member"
            " WHERE u.rolname = :member AND r.rolname = :role"
        ),
        {"member": member, "role": role},
    )
    return found is not None


def _narrow(connection: Connection, table: str, visible: str) -> None:
    """Force row security: the caller's role sees what is `visible`, the others all."""
    others = ", ".join(role for role in ROLES if role != CALLER)
    policies = {"of_tenant": (CALLER, visible), "of_service": (others, "true")}
    if policies == _found_policies(connection, table):
        return
    _run(connection, f"ALTER TABLE {table} ENABLE ROW LEVEL SECURITY")
    _run(connection, f"ALTER TABLE {table} FORCE ROW LEVEL SECURITY")
    for policy, (roles, condition) in policies.items():
        _run(connection, f"DROP POLICY IF EXISTS {policy} ON {table}")
        _run(
            connection,
            f"CREATE POLICY {policy} ON {table} TO {roles}"
            f" USING ({condition}) WITH CHECK ({condition})",
        )
        wording = f"{roles}: {condition}".replace("'", "''")
        _run(connection, f"COMMENT ON POLICY {policy} ON {table} IS '{wording}'")


_FOUND: Final = """
SELECT p.polname, obj_description(p.oid, 'pg_policy') AS wording
FROM pg_policy p JOIN pg_class c ON c.oid = p.polrelid
WHERE c.oid = to_regclass(:table) AND c.relrowsecurity AND c.relforcerowsecurity
"""


def _found_policies(connection: Connection, table: str) -> dict[str, tuple[str, str]]:
    """What is in force now, by our own note of it: Postgres words conditions anew."""
    found = {}
    for row in connection.execute(text(_FOUND), {"table": f"public.{table}"}):
        roles, _, condition = (row.wording or "").partition(": ")
        found[row.polname] = (roles, condition)
    return found


def _run(connection: Connection, statement: str) -> None:
    connection.exec_driver_sql(statement)


def _remedy(missing: Sequence[str]) -> str:
    return (
        "The user of PRECIS_DATABASE_URL may not make the roles that the processes need."
        " Let one who may run this once, then repeat:\n"
        + "\n".join(f"  {statement};" for statement in missing)
    )
