"""Runs the revisions on the connection that `migrations.upgrade` hands over."""

from alembic import context

with context.begin_transaction():
    context.configure(connection=context.config.attributes["connection"])
    context.run_migrations()
