"""Ends what the supervisor leaves behind when it is killed outright.

The kernel already signals our children when their parent dies (`launch.py`), but only
on Linux and only the children themselves. The guardian reads the identity of each
started process from a pipe; when the pipe ends, the supervisor is gone, and whatever
it named is ended within a few seconds. It keeps its list in memory: a file might by
then belong to the next supervisor.
"""

import json
import signal
import sys
import time
from collections.abc import Iterable

from deploy.local.identity import ProcessIdentity

_GRACE_SECONDS = 2.5  # nothing may be left five seconds after the supervisor's death
_GLANCE_SECONDS = 0.05


def wait_for_the_end(lines: Iterable[str]) -> list[ProcessIdentity]:
    """Collect identities until the pipe closes; a broken last line is left out."""
    return [
        ProcessIdentity.from_json(json.loads(line))
        for line in lines
        if line.endswith("\n")
    ]


def end_all(named: list[ProcessIdentity]) -> None:
    for identity in named:
        identity.signal_group(identity.death_signal)
    deadline = time.monotonic() + _GRACE_SECONDS
    while time.monotonic() < deadline and any(each.is_alive() for each in named):
        time.sleep(_GLANCE_SECONDS)
    for identity in named:
        identity.signal_group(signal.SIGKILL)
        identity.kill_orphans()


def main() -> None:
    # Only the end of the pipe ends the guardian, so that it outlives the supervisor.
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.SIG_IGN)
    end_all(wait_for_the_end(sys.stdin))


if __name__ == "__main__":
    main()
