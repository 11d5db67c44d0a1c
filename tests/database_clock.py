"""A database whose time stands still until a test moves it on.

All our statements ask `statement_timestamp()`; a function of that name, found before
Postgres's own, answers from a row. So schedules of days run through the very SQL that
production runs. Ask for the clock before the database's first connection.
"""

from datetime import UTC, datetime, timedelta
from typing import Final

import psycopg
from sqlalchemy.engine import make_url

_START: Final = datetime(2027, 1, 1, tzinfo=UTC)
_INSTALL: Final = """
CREATE SCHEMA fake;
CREATE TABLE fake.clock (moment timestamptz NOT NULL);
CREATE FUNCTION fake.statement_timestamp() RETURNS timestamptz LANGUAGE sql STABLE
    AS 'SELECT moment FROM fake.clock';
GRANT USAGE ON SCHEMA fake TO PUBLIC;
GRANT SELECT ON fake.clock TO PUBLIC;
DO $$
DECLARE c record;
BEGIN
    FOR c IN SELECT table_name, column_name FROM information_schema.columns
             WHERE table_schema = 'public' AND column_default = 'statement_timestamp()'
    LOOP
        EXECUTE format('ALTER TABLE %I ALTER %I SET DEFAULT fake.statement_timestamp()',
                       c.table_name, c.column_name);
    END LOOP;
    EXECUTE format('ALTER DATABASE %I SET search_path = fake, pg_catalog, public',
                   current_database());
END $$;
"""


class DatabaseClock:
    def __init__(self, database_url: str) -> None:
        url = make_url(database_url).set(drivername="postgresql")
        self._address = url.render_as_string(hide_password=False)
        self._now = _START
        with psycopg.connect(self._address, autocommit=True) as connection:
            connection.execute(_INSTALL)
            connection.execute("INSERT INTO fake.clock VALUES (%s)", [_START])

    def now(self) -> datetime:
        return self._now

    @property
    def elapsed(self) -> timedelta:
        return self._now - _START

    def seconds(self) -> float:
        """For what asks a monotonic clock."""
        return self.elapsed.total_seconds()

    def move_to(self, moment: datetime) -> None:
        self._now = moment
        with psycopg.connect(self._address, autocommit=True) as connection:
            connection.execute("UPDATE fake.clock SET moment = %s", [moment])

    def move_on(self, span: timedelta) -> None:
        self.move_to(self._now + span)
