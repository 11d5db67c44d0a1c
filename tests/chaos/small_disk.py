"""A folder on a small file system, which can be filled to the last byte and freed."""

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Final

_MOST_BYTES: Final = 8 * 2**30
_LEAST_BYTES: Final = 2**30
_STEP_BYTES: Final = 2**20
_FILLER: Final = "filler"


class DiskRefused(Exception):
    """The folder is not fit for being filled; the message says why."""


class SmallDisk:
    """A file system of its own, small enough that filling it harms nobody else."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder.resolve()
        if not self.folder.is_dir():
            raise DiskRefused(f"--small-fs {folder}: no such folder")
        if self.folder.stat().st_dev == self.folder.parent.stat().st_dev:
            raise DiskRefused(
                f"--small-fs {folder}: not the root of a file system of its own "
                "(for instance: mount -t tmpfs -o size=2g tmpfs DIR)"
            )
        size = shutil.disk_usage(self.folder).total
        if not _LEAST_BYTES <= size <= _MOST_BYTES:
            raise DiskRefused(
                f"--small-fs {folder}: {size} bytes; from 1 to 8 GiB are wanted"
            )

    @contextmanager
    def filled(self) -> Iterator[None]:
        """Leave no room, as long as the block lasts."""
        filler = self.folder / _FILLER
        number = os.open(filler, os.O_WRONLY | os.O_CREAT, 0o600)
        try:
            self._take_all(number)
            yield
        finally:
            os.close(number)
            filler.unlink()

    def _take_all(self, number: int) -> None:
        at, step = os.fstat(number).st_size, _STEP_BYTES
        room = shutil.disk_usage(self.folder).free
        with suppress(OSError):
            os.posix_fallocate(number, at, max(0, room - step))
            at += max(0, room - step)
        while step >= 4096:
            try:
                os.posix_fallocate(number, at, step)
                at += step
            except OSError:
                step //= 2
