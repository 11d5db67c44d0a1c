"""`python -m migrations`: the entry point of the migration job (`precis migrate`)."""

from migrations.upgrade import upgrade
from plumbing.settings import DatabaseSettings

if __name__ == "__main__":
    upgrade(DatabaseSettings().database_url.get_secret_value())
