"""The logins of our processes: one user for each kind, a member of its role.

`python -m migrations.logins` reads `{"gateway": "password", ...}` from its input and
makes these users or renews them; it runs after `precis migrate`, as often as one likes.
The local stack calls it, and so may an operator. Limits that belong to a session can
only hang on a user, not on a role, so they are here: the most connections, how long a
statement may take where the process itself sets no shorter time, how long a transaction
may stay open without one, and a session that holds locks. What a user may do is in
`rights`.
"""

import json
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, Final

import psycopg
from psycopg import sql
from sqlalchemy.engine import make_url

from plumbing.settings import DatabaseSettings, read_settings


@dataclass(frozen=True, slots=True, kw_only=True)
class Login:
    role: str
    connections: int
    """Of all processes of this kind together: replicas times PRECIS_DATABASE_POOL_SIZE."""
    statement: timedelta
    open_transaction: timedelta = timedelta(seconds=10)
    idle_session: timedelta = timedelta(0)
    """0: a session may say nothing for as long as it likes."""

    @property
    def user(self) -> str:
        return f"{self.role}_login"


LOGINS: Final[Mapping[str, Login]] = {
    "gateway": Login(
        role="precis_gateway", connections=48, statement=timedelta(seconds=5)
    ),
    "worker": Login(
        role="precis_worker", connections=64, statement=timedelta(seconds=30)
    ),
    "dispatcher": Login(
        role="precis_dispatcher",
        # Each holds up to four more beside its pool, for its locks.
        connections=40,
        statement=timedelta(seconds=30),
        # Asleep or cut off it would keep its locks, and with them everybody's hints, for
        # hours. A holder speaks each second, or waits for Kafka for ten at the most.
        idle_session=timedelta(seconds=15),
    ),
    "notifier": Login(
        role="precis_notifier", connections=24, statement=timedelta(seconds=30)
    ),
    "operator": Login(
        role="precis_operator",
        connections=8,
        statement=timedelta(minutes=10),
        open_transaction=timedelta(minutes=1),
    ),
}


def make_logins(database_url: str, passwords: Mapping[str, str]) -> None:
    """Make or renew the users that are named; the others stay as they are."""
    plain = make_url(database_url).set(drivername="postgresql")
    address = plain.render_as_string(hide_password=False)
    with psycopg.connect(address) as connection:
        for kind, password in passwords.items():
            _make(connection, LOGINS[kind], password)


def _make(connection: psycopg.Connection[Any], login: Login, password: str) -> None:
    # Hashed here: the statement may end up in the server's log.
    hashed = connection.pgconn.encrypt_password(
        password.encode(), login.user.encode(), b"scram-sha-256"
    ).decode()
    user, role = sql.Identifier(login.user), sql.Identifier(login.role)
    found = connection.execute("SELECT FROM pg_roles WHERE rolname = %s", [login.user])
    if found.fetchone() is None:
        connection.execute(sql.SQL("CREATE ROLE {} IN ROLE {}").format(user, role))
    connection.execute(
        sql.SQL("ALTER ROLE {} LOGIN INHERIT PASSWORD {} CONNECTION LIMIT {}").format(
            user, sql.Literal(hashed), sql.Literal(login.connections)
        )
    )
    for setting, span in {
        "statement_timeout": login.statement,
        "idle_in_transaction_session_timeout": login.open_transaction,
        "idle_session_timeout": login.idle_session,
    }.items():
        milliseconds = sql.Literal(int(span.total_seconds() * 1000))
        connection.execute(
            sql.SQL("ALTER ROLE {} SET {} = {}").format(
                user, sql.Identifier(setting), milliseconds
            )
        )


def main() -> int:
    passwords = json.loads(sys.stdin.read())
    unknown = set(passwords) - set(LOGINS)
    if unknown:
        known = ", ".join(LOGINS)
        print(f"No such login: {', '.join(unknown)} ({known}).", file=sys.stderr)  # noqa: T201 - a command tells its user
        return 2
    url = read_settings(DatabaseSettings).database_url.get_secret_value()
    make_logins(url, passwords)
    return 0


if __name__ == "__main__":
    sys.exit(main())
