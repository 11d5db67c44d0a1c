"""Finds programs inside installed Python packages without importing the packages.

Their imports would set up servers of their own kind, or warn about missing folders.
"""

from importlib.util import find_spec
from pathlib import Path

from deploy.local.refusals import StackRefused


def find_program(package: str, pattern: str) -> Path:
    """Find the program of a package; of several versions the newest by name."""
    spec = find_spec(package)
    places = (spec and spec.submodule_search_locations) or []
    found = [program for place in places for program in Path(place).glob(pattern)]
    if not found:
        raise StackRefused(
            f"{package} has no {pattern} for this machine: install precis with its "
            "servers (make setup, or pip install 'precis[local]')"
        )
    return max(found)
