"""The database schema, as Alembic revisions in plain SQL, and `precis migrate`."""
