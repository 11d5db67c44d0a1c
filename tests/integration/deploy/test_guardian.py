"""The guardian alone ends what a killed supervisor leaves, grandchildren included."""

import signal
import subprocess
import sys
from pathlib import Path

import psutil
import pytest

from deploy.local.guardian import end_all, wait_for_the_end
from deploy.local.identity import ProcessIdentity
from tests.integration.deploy.stack_process import ROOT, alive, eventually

# Without the launcher, so without a death signal, as on systems that have none; the
# shell's own child is one that no death signal reaches anywhere.
SUPERVISOR = """
import subprocess, sys, time
from pathlib import Path
from deploy.local.guardianship import Guardianship
from deploy.local.identity import ProcessIdentity
guardianship = Guardianship(Path(sys.argv[1]))
guardianship.keep_alive()
child = subprocess.Popen(["sh", "-c", "sleep 600 & wait"], start_new_session=True)
guardianship.tell("sleeper", ProcessIdentity.of(child.pid, death_signal=15))
print(child.pid, flush=True)
time.sleep(600)
"""


def test_children_and_grandchildren_end_with_a_killed_supervisor(
    tmp_path: Path,
) -> None:
    with subprocess.Popen(
        [sys.executable, "-c", SUPERVISOR, str(tmp_path / "run.json")],
        stdout=subprocess.PIPE,
        cwd=ROOT,
        text=True,
    ) as supervisor:
        assert supervisor.stdout
        child = psutil.Process(int(supervisor.stdout.readline()))
        eventually(child.children, within=5, what="the shell starts its own child")
        left = [*child.children(), *psutil.Process(supervisor.pid).children()]
        supervisor.kill()
    eventually(lambda: not alive(left), within=5, what=str(alive(left)))


@pytest.fixture
def bystander() -> "subprocess.Popen[bytes]":
    return subprocess.Popen(["sleep", "600"], start_new_session=True)


def test_a_process_that_got_the_number_later_is_spared(
    bystander: "subprocess.Popen[bytes]",
) -> None:
    earlier = ProcessIdentity(
        pid=bystander.pid, started="another time", death_signal=signal.SIGTERM
    )
    try:
        end_all([earlier])
        assert bystander.poll() is None
    finally:
        bystander.kill()
        bystander.wait()


def test_a_line_that_broke_off_names_nobody() -> None:
    whole = '{"pid": 1, "started": "x", "death_signal": 15}\n'
    named = wait_for_the_end([whole, '{"pid": 2, "star'])
    assert [identity.pid for identity in named] == [1]
