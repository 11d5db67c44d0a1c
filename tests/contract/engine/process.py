"""The embedded engine as a process of its own, for as long as a test needs it."""

import json
import os
import signal
import subprocess
import sys
from pathlib import Path
from types import TracebackType
from typing import IO, Self

_ROOT = Path(__file__).parents[3]
_LONGEST_STOP_SECONDS = 15


class EngineProcess:
    def __init__(self, *options: str) -> None:
        self._options = options

    def __enter__(self) -> Self:
        self.process = subprocess.Popen(
            [
                *(sys.executable, "-m", "realtime.engine", "--profile", "embedded"),
                *("--port", "0", *self._options),
            ],
            cwd=_ROOT,
            env={**os.environ, "PRECIS_LOG_FORMAT": "json", "PRECIS_LOG_LEVEL": "INFO"},
            stderr=subprocess.PIPE,
            text=True,
        )
        self.url = f"http://127.0.0.1:{self._read_port()}"
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self.process.poll() is None:
            self.stop()
        self.log.close()

    def stop(self) -> int:
        """Ask it to stop, as a supervisor would; return its exit status."""
        self.process.send_signal(signal.SIGTERM)
        try:
            return self.process.wait(_LONGEST_STOP_SECONDS)
        finally:
            self.process.kill()

    def _read_port(self) -> int:
        for line in self.log:
            entry = json.loads(line)
            if entry["event"] == "engine.listening":
                return int(entry["port"])
        raise AssertionError(f"the engine ended with {self.process.wait()}")

    @property
    def log(self) -> IO[str]:
        assert self.process.stderr is not None
        return self.process.stderr
