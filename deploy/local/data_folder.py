"""The data folder of one stack: what lies where, who may read it, who is using it.

DIR/lock        held by the running supervisor; names its process id
DIR/run.json    the processes that it started
DIR/ready.json  how to reach the stack
DIR/ports.json  the ports chosen at the first start
DIR/secrets/    keys and passwords, one file each, for the owner only
DIR/logs/       one file per process
DIR/postgres/ DIR/valkey/ DIR/kafka/ DIR/mail/   what the servers keep
"""

import fcntl
import os
import tempfile
from dataclasses import dataclass
from pathlib import Path

from deploy.local.refusals import StackRefused

_OWNER_ONLY = 0o700
_OTHERS_MAY_PASS = 0o711  # started as root, Postgres runs as somebody else below it


@dataclass(frozen=True)
class DataFolder:
    root: Path

    @property
    def lock(self) -> Path:
        return self.root / "lock"

    @property
    def run_record(self) -> Path:
        return self.root / "run.json"

    @property
    def ready(self) -> Path:
        return self.root / "ready.json"

    @property
    def ports(self) -> Path:
        return self.root / "ports.json"

    @property
    def secrets(self) -> Path:
        return self.root / "secrets"

    @property
    def logs(self) -> Path:
        return self.root / "logs"

    def log(self, name: str) -> Path:
        return self.logs / f"{name}.log"

    def of(self, server: str) -> Path:
        return self.root / server

    def prepare(self) -> None:
        """Make the folder and its private parts; a folder in use elsewhere is kept."""
        if not self.root.exists() or not any(self.root.iterdir()):
            self.root.mkdir(parents=True, exist_ok=True)
            self.root.chmod(_OTHERS_MAY_PASS if os.geteuid() == 0 else _OWNER_ONLY)
        for private in (self.secrets, self.logs):
            private.mkdir(mode=_OWNER_ONLY, exist_ok=True)


def open_folder(root: Path) -> DataFolder:
    try:
        folder = DataFolder(root.resolve())
        folder.prepare()
    except OSError as error:
        raise StackRefused(
            f"the data folder {root} cannot be used ({error.strerror}); "
            "choose another with --data"
        ) from error
    return folder


class FolderLock:
    """One supervisor per folder; the kernel drops the lock with the process."""

    def __init__(self, folder: DataFolder) -> None:
        self._folder = folder
        self._descriptor: int | None = None

    @property
    def is_held(self) -> bool:
        return self._descriptor is not None

    def take(self) -> None:
        descriptor = os.open(self._folder.lock, os.O_RDWR | os.O_CREAT, 0o600)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            holder = os.read(descriptor, 32).decode("ascii", "replace").strip()
            os.close(descriptor)
            raise StackRefused(
                f"{self._folder.root} is in use by process {holder or 'unknown'}: "
                "stop that one first (Ctrl-C or kill), or choose another --data folder"
            ) from None
        os.ftruncate(descriptor, 0)
        os.write(descriptor, f"{os.getpid()}\n".encode("ascii"))
        self._descriptor = descriptor

    def release(self) -> None:
        if self._descriptor is not None:
            os.close(self._descriptor)
            self._descriptor = None


def write_private(path: Path, text: str) -> None:
    """Put a whole file in place at once, readable by its owner only."""
    descriptor, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    try:
        with os.fdopen(descriptor, "w", encoding="utf-8") as file:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
        Path(name).replace(path)
    except BaseException:
        Path(name).unlink(missing_ok=True)
        raise
