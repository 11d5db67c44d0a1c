"""How much of the calls to the outside is to fail, and what came of it.

The wrapping itself is done within the processes under test, by `mutated/injection.py`;
here is what they are told, and what they noted.
"""

import json
from collections import Counter
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Final

from tests.chaos.mutants import FOLDER

INJECTED: Final = "injected.txt"
# One customer is one lane, and a claim whose answer was lost keeps all its places for
# as long as a delivery's lease.
_DELIVERY_LEASE: Final = {"PRECIS_DELIVERY_LEASE": "2"}


@dataclass(frozen=True, kw_only=True)
class Rates:
    """Parts of all calls, from 0 to 1."""

    error: float = 0.1
    """The call is not made."""
    lost: float = 0.1
    """It is made, and its caller told that it failed: ExecuteAndTimeout."""


def environment_for(rates: Rates | None, *, seed: int, notes: Path) -> dict[str, str]:
    """What the processes under test are told; nothing without rates."""
    if rates is None:
        return {}
    told = {**asdict(rates), "seed": seed, "notes": str(notes)}
    way_in = {"PYTHONPATH": str(FOLDER), "CHAOS_INJECTION": json.dumps(told)}
    return way_in | _DELIVERY_LEASE


def read_injected(notes: Path) -> Mapping[str, Mapping[str, int]]:
    """By edge, how many calls were made, and how many failed in which way."""
    counts: dict[str, Counter[str]] = {}
    for line in notes.read_text().splitlines() if notes.exists() else ():
        edge, _, fate = line.partition(": ")
        counts.setdefault(edge, Counter())[fate] += 1
    return counts
