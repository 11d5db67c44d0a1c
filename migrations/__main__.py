"""`python -m migrations`: the entry point of the migration job (`precis migrate`)."""

from migrations.upgrade import upgrade
from plumbing.settings import DatabaseSettings, read_settings

if __name__ == "__main__":
    upgrade(read_settings(DatabaseSettings).database_url.get_secret_value())
