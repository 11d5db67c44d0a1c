"""Becomes another program after making sure that it dies with the supervisor.

Run as a script in front of each child (`launch.py PARENT SIGNAL UID GID PROGRAM ...`)
instead of a `preexec_fn`, which may deadlock in a process that has threads. It leaves
session, output and environment to the one who starts it, and imports the standard
library only, because it runs before any package is in reach.
"""

import ctypes
import os
import signal
import sys

_PR_SET_PDEATHSIG = 1


def die_with_parent(parent: int, death_signal: int) -> None:
    """Ask the kernel for a signal when the parent ends; it may already have."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, death_signal, 0, 0, 0)
    if os.getppid() != parent:
        sys.exit(1)


def become_user(user: int, group: int) -> None:
    # Programs may open their input anew by name, which asks who owns the pipe.
    os.fchown(sys.stdin.fileno(), user, group)
    os.setgroups([])
    os.setgid(group)
    os.setuid(user)


def main() -> None:
    parent, death_signal, user, group = map(int, sys.argv[1:5])
    if user >= 0:
        become_user(user, group)
    # After the change of user: the kernel forgets the request with the credentials.
    die_with_parent(parent, death_signal)
    # Python ignores these two, and a program would inherit the ignoring.
    signal.signal(signal.SIGPIPE, signal.SIG_DFL)
    signal.signal(signal.SIGXFSZ, signal.SIG_DFL)
    os.execv(sys.argv[5], sys.argv[5:])  # noqa: S606  no shell is wanted


if __name__ == "__main__":
    main()
