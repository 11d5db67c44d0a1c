"""What a run is to do: how much, for how long, with which faults, from which seed."""

import random
import shutil
import tempfile
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Final

from tests.chaos.client import Habits
from tests.chaos.faults import KINDS
from tests.chaos.injecting import Rates
from tests.chaos.small_disk import DiskRefused

RESULTS: Final = Path(__file__).with_name("results")
_MEMORY: Final = Path("/dev/shm")  # noqa: S108  a folder of our own is made below it
_ROOM_BYTES: Final = 3 * 2**30


@dataclass(frozen=True, kw_only=True)
class Plan:
    jobs: int = 1000
    seconds: float = 120
    """Orders are spread over this time, and faults strike as long."""
    seed: int = 1
    faults: tuple[str, ...] = ("kill", "stop", "flush", "topic", "net", "pg")
    every: float = 1.0
    """Seconds from fault to fault."""
    targets: str = ""
    """Kill and freeze only processes whose name begins so."""
    engine_seconds: float = 0.6
    """The longest that an engine takes for an answer."""
    drain_seconds: float = 150
    """In this time all must come to its end by itself, once the faults are over."""
    habits: Habits = field(default_factory=Habits)
    small_fs: Path | None = None
    keep: bool = False
    """Leave data, logs and journals where they are."""
    latency: Mapping[str, float] = field(default_factory=dict)
    """Seconds by the name of a proxy, from the first to the last moment."""
    mutant: str | None = None
    injection: Rates | None = None
    """How many of all calls to the outside fail, from every process of ours."""

    def as_json(self) -> dict[str, Any]:
        told = asdict(self)
        told["small_fs"] = None if self.small_fs is None else str(self.small_fs)
        return told


def read_faults(given: str) -> tuple[str, ...]:
    kinds = tuple(part for part in given.split(",") if part)
    unknown = set(kinds) - set(KINDS)
    if unknown:
        raise ValueError(f"unknown faults: {', '.join(sorted(unknown))}")
    return kinds


def require_disk(plan: Plan) -> None:
    if "disk" in plan.faults and plan.small_fs is None:
        raise DiskRefused(
            "the fault `disk` fills a file system to the last byte: give it one of "
            "its own with --small-fs DIR"
        )


def new_seed() -> int:
    return random.SystemRandom().randrange(10**6)


def make_root() -> Path:
    """A folder in memory, where there is room for servers and journals, else on disk."""
    roomy = _MEMORY.is_dir() and shutil.disk_usage(_MEMORY).free > _ROOM_BYTES
    return make_folder(_MEMORY if roomy else None)


def make_folder(parent: Path | None) -> Path:
    root = Path(tempfile.mkdtemp(prefix="precis-chaos-", dir=parent))
    root.chmod(0o711)  # started as root, Postgres runs as another user
    return root
