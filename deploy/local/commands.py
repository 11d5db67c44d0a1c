"""How a child process is started: what it runs, as whom, with which environment.

Each child gets a session of its own, so that Ctrl-C in the terminal reaches only the
supervisor, and is started through `launch.py`, so that it ends with the supervisor.
When to start, watch and stop is left to the supervisor.
"""

import os
import shutil
import subprocess
import sys
from collections.abc import Mapping
from contextlib import nullcontext, suppress
from dataclasses import dataclass, field
from pathlib import Path
from signal import SIGTERM
from typing import BinaryIO

CODE_ROOT = Path(__file__).resolve().parents[2]
_LAUNCHER = Path(__file__).with_name("launch.py")
_PASSED_ON = (
    "PATH", "HOME", "LANG", "TMPDIR",
    "SSL_CERT_FILE", "SSL_CERT_DIR", "REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE",
    "HTTP_PROXY", "HTTPS_PROXY", "NO_PROXY", "http_proxy", "https_proxy", "no_proxy",
)  # fmt: skip
_LOG_LIMIT_BYTES = 10 * 2**20


@dataclass(frozen=True, kw_only=True)
class RunAs:
    user: int
    group: int
    name: str


@dataclass(frozen=True, kw_only=True)
class Command:
    argv: tuple[str, ...]
    environment: Mapping[str, str] = field(default_factory=dict, repr=False)
    """What is added to the minimal environment; may hold secrets."""
    input_text: str = field(default="", repr=False)
    """Goes to the child's standard input, which then ends; a few lines at most."""
    output: Path | None = None
    """Takes what is printed, in place of the log; readable by the owner only."""
    folder: Path = CODE_ROOT
    run_as: RunAs | None = None
    death_signal: int = SIGTERM


def python_module(name: str, *arguments: str) -> tuple[str, ...]:
    return (sys.executable, "-m", name, *arguments)


def minimal_environment() -> dict[str, str]:
    """Give a child what a program needs from outside and none of our settings."""
    return {name: os.environ[name] for name in _PASSED_ON if name in os.environ}


def spawn(command: Command, *, log: Path) -> subprocess.Popen[bytes]:
    """Start a child; call it from the main thread only.

    The kernel's death signal follows the thread that forked, not the process.
    """
    keep_log_small(log)
    user = command.run_as
    with _open_output(log) as errors, _open_output(command.output or log) as output:
        process = subprocess.Popen(  # noqa: S603  every program is named by our own code
            [
                *(sys.executable, "-I", "-S", str(_LAUNCHER)),
                *(str(os.getpid()), str(int(command.death_signal))),
                *((str(user.user), str(user.group)) if user else ("-1", "-1")),
                *command.argv,
            ],
            env=minimal_environment() | dict(command.environment),
            cwd=command.folder,
            stdin=subprocess.PIPE,
            stdout=output,
            stderr=errors,
            start_new_session=True,
        )
    _hand_over(process, command.input_text)
    return process


def _open_output(path: Path) -> BinaryIO:
    flags = os.O_WRONLY | os.O_APPEND | os.O_CREAT
    return os.fdopen(os.open(path, flags, 0o600), "ab")


def _hand_over(process: subprocess.Popen[bytes], text: str) -> None:
    # A child that died at once has closed its end; its exit status says more.
    with suppress(BrokenPipeError), process.stdin or nullcontext() as pipe:
        if pipe:
            pipe.write(text.encode())


def keep_log_small(log: Path) -> None:
    """Set a grown log aside, replacing the one set aside before.

    The file is emptied, not renamed: the running child goes on writing into it, and
    appends, so its next line lands at the start.
    """
    if log.exists() and log.stat().st_size > _LOG_LIMIT_BYTES:
        shutil.copyfile(log, log.with_name(f"{log.name}.1"))
        os.truncate(log, 0)


def last_lines(log: Path, *, count: int = 5) -> str:
    if not log.exists():
        return ""
    with log.open("rb") as file:
        file.seek(max(0, log.stat().st_size - 4096))
        text = file.read().decode("utf-8", "replace")
    return "\n".join(text.splitlines()[-count:])
