"""Which ports the stack uses: chosen once, kept in the data folder, tried again.

Ports are taken from below the range that the system gives to outgoing connections: a
server that restarts must not find its port lent to one of our own clients.
"""

import errno
import json
import random
import socket
from collections.abc import Iterable
from pathlib import Path

from deploy.local.data_folder import write_private
from deploy.local.parts import HOST
from deploy.local.refusals import StackRefused

_RANGE = range(20_000, 32_000)
_TRIES = 200


def is_free(port: int) -> bool:
    with socket.socket() as probe:
        # As the servers do: connections that have just ended are no hindrance.
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((HOST, port))
        except OSError as error:
            if error.errno in {errno.EADDRINUSE, errno.EACCES}:
                return False
            raise
    return True


def choose_ports(
    names: Iterable[str], *, kept_in: Path, demanded: dict[str, int]
) -> dict[str, int]:
    """Give each name a free port: the demanded one, else last time's, else another."""
    for name, port in demanded.items():
        if not is_free(port):
            raise StackRefused(
                f"port {port} for the {name} is taken: choose another with --port, "
                "or leave it out to get a free one"
            )
    kept, chosen = _read(kept_in), dict(demanded)
    for name in names:
        if name not in chosen:
            chosen[name] = _choose(kept.get(name), taken=set(chosen.values()))
    write_private(kept_in, json.dumps(kept | chosen, indent=1))
    return chosen


def _read(path: Path) -> dict[str, int]:
    try:
        kept = json.loads(path.read_text(encoding="utf-8"))
    except (FileNotFoundError, ValueError):
        return {}
    return {name: port for name, port in kept.items() if isinstance(port, int)}


def _choose(kept: int | None, *, taken: set[int]) -> int:
    if kept and kept not in taken and is_free(kept):
        return kept
    for port in random.sample(_RANGE, _TRIES):
        if port not in taken and is_free(port):
            return port
    raise StackRefused(f"no free port was found between {_RANGE[0]} and {_RANGE[-1]}")
