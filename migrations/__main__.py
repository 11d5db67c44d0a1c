"""`python -m migrations`: the entry point of the migration job (`precis migrate`)."""

import sys

from migrations.granting import RightsRefused
from migrations.upgrade import upgrade
from plumbing.settings import DatabaseSettings, read_settings


def main() -> int:
    url = read_settings(DatabaseSettings).database_url.get_secret_value()
    try:
        upgrade(url)
    except RightsRefused as error:
        print(error, file=sys.stderr)  # noqa: T201 - a command tells its user
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
