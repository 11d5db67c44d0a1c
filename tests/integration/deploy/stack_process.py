"""Starts `run_stack.py` and watches from outside what it starts and leaves."""

import json
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import psutil

PROGRAM = Path(__file__).with_name("run_stack.py")
ROOT = Path(__file__).resolve().parents[3]


def eventually(question: Callable[[], Any], *, within: float, what: str) -> None:
    deadline = time.monotonic() + within
    while not question():
        assert time.monotonic() < deadline, what
        time.sleep(0.02)


class StackProcess:
    def __init__(self, folder: Path, *parts: str) -> None:
        self.folder = folder
        self._process = subprocess.Popen(
            [sys.executable, "-u", str(PROGRAM), str(folder), *parts],
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            env={"PYTHONPATH": str(ROOT), "PATH": "/usr/bin:/bin", "HOME": _home()},
            start_new_session=True,
            text=True,
        )

    @property
    def pid(self) -> int:
        return self._process.pid

    @property
    def ready(self) -> dict[str, Any]:
        content: dict[str, Any] = json.loads((self.folder / "ready.json").read_text())
        return content

    def wait_ready(self) -> dict[str, Any]:
        eventually(
            lambda: (self.folder / "ready.json").exists() or not self.is_running,
            within=60,
            what="the stack does not start",
        )
        assert self.is_running, self.output()
        return self.ready

    @property
    def is_running(self) -> bool:
        return self._process.poll() is None

    def everything_started(self) -> list[psutil.Process]:
        return psutil.Process(self.pid).children(recursive=True)

    def send(self, number: signal.Signals) -> None:
        self._process.send_signal(number)

    def wait(self, *, within: float = 60) -> int:
        return self._process.wait(within)

    def wait_told(self, words: str) -> None:
        """Read what it tells until it says so; what was read is not in `output`."""
        assert self._process.stdout is not None
        told = any(words in line for line in self._process.stdout)
        assert told, f"it ended without a word of {words}"

    def output(self) -> str:
        text, _ = self._process.communicate(timeout=60)
        return text

    def end(self) -> None:
        if self.is_running:
            self.send(signal.SIGTERM)
        self.output()


def alive(processes: list[psutil.Process]) -> list[psutil.Process]:
    return [process for process in processes if _is_alive(process)]


def _is_alive(process: psutil.Process) -> bool:
    try:
        return process.is_running() and process.status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


def _home() -> str:
    return str(Path.home())
