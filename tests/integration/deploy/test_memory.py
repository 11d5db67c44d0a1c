"""Memory is measured over a process and all its children, shared pages once."""

import subprocess
import sys

from deploy.local.memory import measure_pss

HOLD = "held = bytearray(b'x') * (64 * 2**20); print('held', flush=True); input()"
PARENT = f"import subprocess, sys; subprocess.run([sys.executable, '-c', {HOLD!r}])"


def test_the_memory_of_children_counts() -> None:
    with subprocess.Popen(
        [sys.executable, "-c", PARENT], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as parent:
        assert parent.stdout
        parent.stdout.readline()
        measured = measure_pss({"holder": parent.pid})
        parent.communicate(b"\n")
    assert 64 * 2**20 < measured["holder"] < 128 * 2**20


def test_a_process_that_is_gone_takes_none() -> None:
    ended = subprocess.Popen([sys.executable, "-c", ""])
    ended.wait()
    assert measure_pss({"gone": ended.pid}) == {"gone": 0}
