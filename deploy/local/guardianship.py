"""The supervisor's end of the guardian: starts it and tells it what to end.

Also the record of the last run (DIR/run.json), with which the next start ends whatever
a machine without death signals has left. What the guardian does is in `guardian`.
"""

import json
import os
import subprocess
import sys
from dataclasses import asdict
from datetime import timedelta
from pathlib import Path
from signal import SIGKILL

from deploy.local.commands import CODE_ROOT
from deploy.local.data_folder import write_private
from deploy.local.errands import until
from deploy.local.identity import ProcessIdentity

_GRACE = timedelta(seconds=3)


class Guardianship:
    def __init__(self, run_record: Path) -> None:
        self._run_record = run_record
        self._known: dict[str, ProcessIdentity] = {}
        self._guardian: subprocess.Popen[bytes] | None = None

    def tell(self, name: str, identity: ProcessIdentity) -> None:
        """Remember a process from its first moment on."""
        self._known[name] = identity
        write_private(
            self._run_record,
            json.dumps({key: asdict(each) for key, each in self._known.items()}),
        )
        self._send(identity)

    def keep_alive(self) -> None:
        """Start the guardian anew if somebody has ended it."""
        if self._guardian is None or self._guardian.poll() is not None:
            self._start()

    def close(self) -> None:
        """All is stopped: nothing is left to guard or to remember."""
        if self._guardian is not None:
            self._close_pipe()
            self._guardian.wait()
            self._guardian = None
        self._run_record.unlink(missing_ok=True)

    def _start(self) -> None:
        self._close_pipe()
        self._guardian = subprocess.Popen(
            [sys.executable, "-S", "-m", "deploy.local.guardian"],
            stdin=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            cwd=CODE_ROOT,
            start_new_session=True,
        )
        for identity in self._known.values():
            self._send(identity)

    def _send(self, identity: ProcessIdentity) -> None:
        if self._guardian is None or self._guardian.stdin is None:
            return
        line = json.dumps(asdict(identity)) + "\n"
        try:
            # Past all buffers: what is not in the pipe is not known to the guardian.
            os.write(self._guardian.stdin.fileno(), line.encode("ascii"))
        except BrokenPipeError:
            return  # it has just died; `keep_alive` tells the next one everything

    def _close_pipe(self) -> None:
        if self._guardian is not None and self._guardian.stdin is not None:
            self._guardian.stdin.close()


async def end_last_run(run_record: Path) -> None:
    """End what the last supervisor of this folder started, and nothing else.

    The record stays: should this be cut short, the next start does it again.
    """
    left = [identity for identity in _read(run_record) if identity.is_alive()]
    for identity in left:
        identity.signal_group(identity.death_signal)
    await until(lambda: not any(each.is_alive() for each in left), within=_GRACE)
    for identity in left:
        identity.signal_group(SIGKILL)


def _read(run_record: Path) -> list[ProcessIdentity]:
    try:
        content = json.loads(run_record.read_text(encoding="utf-8"))
    except (FileNotFoundError, ValueError):
        return []
    return [ProcessIdentity.from_json(value) for value in content.values()]
