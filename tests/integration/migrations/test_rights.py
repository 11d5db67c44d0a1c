"""Each role may do what its line in `rights` says, and everything else is refused."""

import re
from collections.abc import Iterator
from typing import Any, Final

import psycopg
import pytest
from psycopg import sql
from sqlalchemy.engine import make_url

from migrations import granting
from migrations.logins import LOGINS
from migrations.rights import CALLER, PRIVATE, RIGHTS
from migrations.upgrade import upgrade
from tests.fixtures.database import login_url

Connection = psycopg.Connection[Any]
Deed = tuple[str, str, str]
"""A verb, a table, and a column or nothing."""

_OF_ROWS: Final = ("DELETE", "TRUNCATE")
_OF_COLUMNS: Final = ("SELECT", "INSERT", "UPDATE")
_COLUMNS: Final = """
SELECT c.relname, a.attname FROM pg_class c
JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped
WHERE c.relkind IN ('r', 'p', 'v', 'm') AND c.relnamespace = 'public'::regnamespace
ORDER BY c.relname, a.attnum
"""
_STATEMENTS: Final = {
    "SELECT": "SELECT {column} FROM {table} LIMIT 0",
    "INSERT": "INSERT INTO {table} ({column}) VALUES (DEFAULT)",
    "UPDATE": "UPDATE {table} SET {column} = DEFAULT WHERE false",
    "DELETE": "DELETE FROM {table} WHERE false",
    "TRUNCATE": "TRUNCATE {table} CASCADE",
}


@pytest.fixture
def connection(database_url: str) -> Iterator[Connection]:
    with psycopg.connect(database_url, autocommit=True) as opened:
        yield opened


def _columns(connection: Connection) -> dict[str, list[str]]:
    found: dict[str, list[str]] = {}
    for table, column in connection.execute(_COLUMNS):
        found.setdefault(table, []).append(column)
    return found


def _listed(role: str, columns: dict[str, list[str]]) -> set[Deed]:
    deeds: set[Deed] = set()
    for table, line in RIGHTS[role].items():
        for verb, named in re.findall(r"([A-Z]+)(?: \(([^)]*)\))?", line):
            if verb in _OF_ROWS:
                deeds.add((verb, table, ""))
                continue
            wanted = re.split(r",\s*", named) if named else columns.get(table, [])
            deeds |= {(verb, table, column) for column in wanted}
    return deeds


def _all_deeds(columns: dict[str, list[str]]) -> set[Deed]:
    return {
        (verb, table, column)
        for table, names in columns.items()
        for verb, of in (
            *((verb, names) for verb in _OF_COLUMNS),
            *((verb, [""]) for verb in _OF_ROWS),
        )
        for column in of
    }


def _is_refused(connection: Connection, deed: Deed) -> bool:
    verb, table, column = deed
    statement = sql.SQL(_STATEMENTS[verb]).format(
        table=sql.Identifier(table), column=sql.Identifier(column or "none")
    )
    try:
        with connection.transaction(force_rollback=True):
            connection.execute(statement)
    except psycopg.errors.InsufficientPrivilege:
        return True
    except psycopg.Error:  # it was let in, and then found the values wanting
        return False
    return False


@pytest.mark.parametrize("role", RIGHTS)
def test_what_is_not_listed_is_refused(connection: Connection, role: str) -> None:
    columns = _columns(connection)
    listed = _listed(role, columns) - {
        deed for deed in _listed(role, columns) if deed[1] not in columns
    }
    connection.execute(sql.SQL("SET ROLE {}").format(sql.Identifier(role)))
    done = {deed for deed in _all_deeds(columns) if not _is_refused(connection, deed)}
    assert done - listed == set(), "may do what is not listed"
    # A caller's insert is let in by its right and then refused by row security.
    if role == CALLER:
        listed = {deed for deed in listed if deed[0] != "INSERT"}
        done = {deed for deed in done if deed[0] != "INSERT"}
    assert listed - done == set(), "may not do what is listed"


@pytest.mark.parametrize("role", RIGHTS)
def test_the_clock_is_moved_by_claims_alone(connection: Connection, role: str) -> None:
    connection.execute(sql.SQL("SET ROLE {}").format(sql.Identifier(role)))
    line = RIGHTS[role].get("fair_clock", "")
    for verb, statement in {
        "SELECT": "SELECT last_value FROM fair_clock",
        "UPDATE": "SELECT setval('fair_clock', 1)",
    }.items():
        try:
            connection.execute(statement)
            may = True
        except psycopg.errors.InsufficientPrivilege:
            may = False
        assert may is (verb in line), verb


@pytest.mark.parametrize(
    "statement",
    [
        "CREATE TABLE of_mine (n int)",
        "ALTER TABLE job DISABLE TRIGGER USER",
        "ALTER TABLE job DISABLE ROW LEVEL SECURITY",
        "SET session_replication_role = replica",
        "DROP TABLE outbox",
        "CREATE ROLE another",
        "SET ROLE postgres_or_any_superuser",
    ],
)
@pytest.mark.parametrize("kind", LOGINS)
def test_a_login_cannot_step_out_of_its_role(
    connection: Connection, database_url: str, kind: str, statement: str
) -> None:
    superuser = connection.info.user
    with psycopg.connect(login_url(database_url, kind), autocommit=True) as opened:
        with pytest.raises(psycopg.errors.InsufficientPrivilege):
            opened.execute(statement.replace("postgres_or_any_superuser", superuser))
        for other in set(RIGHTS) - {LOGINS[kind].role}:
            become = sql.SQL("SET ROLE {}").format(sql.Identifier(other))
            if (kind, other) == ("gateway", CALLER):
                opened.execute(become)
                opened.execute("RESET ROLE")
                continue
            with pytest.raises(psycopg.errors.InsufficientPrivilege):
                opened.execute(become)


def test_nobody_but_the_worker_reads_a_text_and_the_worker_no_secret() -> None:
    """Said once in words, so that a line that is too generous is noticed."""
    readers = {
        role for role, lines in RIGHTS.items() if lines.get("job_input") == "SELECT"
    }
    assert readers == {"precis_worker"}
    worker = RIGHTS["precis_worker"]
    assert not {"api_key", "idempotency_key", "tenant", "notice"} & set(worker)
    assert "secret" not in worker["webhook_endpoint"]
    notifier = RIGHTS["precis_notifier"]
    assert not {"job_input", "job_key", "summary", "citation"} & set(notifier)
    for role in ("precis_gateway", CALLER, "precis_worker", "precis_notifier"):
        assert "DELETE" not in RIGHTS[role].get("job", "")


def test_a_table_that_knows_its_tenant_is_private_or_out_of_callers_reach(
    connection: Connection,
) -> None:
    """A new table is either narrowed, or callers' reads cannot touch it at all."""
    assert set(RIGHTS[CALLER]) == set(PRIVATE)
    forced = connection.execute(
        "SELECT relname FROM pg_class WHERE relrowsecurity AND relforcerowsecurity"
    ).fetchall()
    assert {name for (name,) in forced} == set(PRIVATE)


def test_logins_have_limits_of_their_own(
    connection: Connection, database_url: str
) -> None:
    most = connection.execute("SELECT current_setting('max_connections')").fetchone()
    assert most is not None
    assert sum(login.connections for login in LOGINS.values()) < int(most[0])
    for kind, login in LOGINS.items():
        found = connection.execute(
            "SELECT rolconnlimit, rolsuper, rolcreaterole, rolbypassrls FROM pg_roles"
            " WHERE rolname = %s",
            [login.user],
        ).fetchone()
        assert found == (login.connections, False, False, False)
        with psycopg.connect(login_url(database_url, kind)) as opened:
            for setting, span in (
                ("statement_timeout", login.statement),
                ("idle_in_transaction_session_timeout", login.open_transaction),
                ("idle_session_timeout", login.idle_session),
            ):
                (value,) = opened.execute(
                    "SELECT extract(epoch FROM current_setting(%s)::interval)",
                    [setting],
                ).fetchone() or (None,)
                assert value == span.total_seconds(), setting


def test_rights_come_back_with_the_next_migration(
    connection: Connection, database_url: str
) -> None:
    connection.execute("GRANT ALL ON api_key TO precis_worker")
    connection.execute("GRANT SELECT ON tenant TO PUBLIC")
    connection.execute("REVOKE SELECT ON outbox FROM precis_dispatcher")
    connection.execute("DROP POLICY of_tenant ON job")
    upgrade(database_url)
    connection.execute("SET ROLE precis_worker")
    assert _is_refused(connection, ("SELECT", "api_key", "id"))
    assert _is_refused(connection, ("SELECT", "tenant", "name"))
    connection.execute("SET ROLE precis_dispatcher")
    assert not _is_refused(connection, ("SELECT", "outbox", "id"))
    connection.execute("RESET ROLE")
    found = connection.execute(
        "SELECT FROM pg_policy WHERE polname = 'of_tenant'"
        " AND polrelid = 'job'::regclass"
    )
    assert found.fetchone() is not None


ANOTHER_ROLE: Final = "precis_role_of_a_test"


@pytest.fixture
def powerless_url(connection: Connection, database_url: str) -> Iterator[str]:
    """The owner of a database of its own, who may make no roles."""
    user = "an_owner_without_powers"
    connection.execute(f"CREATE ROLE {user} LOGIN PASSWORD 'x'")
    connection.execute(f"CREATE DATABASE {user} OWNER {user}")
    url = make_url(database_url).set(username=user, password="x", database=user)
    yield url.render_as_string(hide_password=False)
    connection.execute(f"DROP DATABASE {user} WITH (FORCE)")
    connection.execute(f"DROP ROLE IF EXISTS {user}, {ANOTHER_ROLE}")


def test_who_may_make_no_roles_is_told_the_remedy(
    connection: Connection, powerless_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The remedy is followed to the letter; then it works, as for any owner."""
    # The others are there already: roles belong to the server of all tests.
    monkeypatch.setattr(granting, "ROLES", (*granting.ROLES, ANOTHER_ROLE))
    with pytest.raises(granting.RightsRefused) as refused:
        upgrade(powerless_url)
    _, *statements = str(refused.value).splitlines()
    assert f"  CREATE ROLE {ANOTHER_ROLE} NOLOGIN NOINHERIT;" in statements
    for statement in statements:
        connection.execute(statement.encode())
    upgrade(powerless_url)
    upgrade(powerless_url)
    with psycopg.connect(powerless_url) as owner:
        owner.execute("SELECT count(*) FROM job")
