"""A real process around `run`: signals, exit status, last words."""

import signal
import subprocess
import sys

import pytest

PROGRAM = """
import asyncio, sys
from plumbing.logs import configure_logs
from plumbing.process import run
from plumbing.settings import ServiceSettings

async def work(stop):
    print("ready", type(asyncio.get_running_loop()).__module__, flush=True)
    {body}

configure_logs(ServiceSettings(), service="program")
sys.exit(run(work))
"""
WAIT = "await stop.wait(); print('stopping', flush=True)"


def start(body: str) -> "subprocess.Popen[str]":
    program = subprocess.Popen(
        [sys.executable, "-c", PROGRAM.format(body=body)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert program.stdout is not None
    assert program.stdout.readline() == "ready uvloop\n"
    return program


@pytest.mark.parametrize("signum", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_stops_it_in_good_order(signum: signal.Signals) -> None:
    program = start(WAIT)
    program.send_signal(signum)
    out, err = program.communicate(timeout=20)
    assert program.returncode == 0
    assert out == "stopping\n"
    assert "process.stopping" in err
    assert signum.name in err


@pytest.mark.parametrize("signum", [signal.SIGTERM, signal.SIGINT])
def test_a_second_signal_ends_it_at_once(signum: signal.Signals) -> None:
    program = start(WAIT + "; await asyncio.sleep(3600)")
    program.send_signal(signal.SIGTERM)
    assert program.stdout is not None
    assert program.stdout.readline() == "stopping\n"
    program.send_signal(signum)
    program.communicate(timeout=20)
    assert program.returncode == -signum


def test_an_exception_is_logged_and_ends_it_with_1() -> None:
    program = start("raise RuntimeError('boom')")
    _, err = program.communicate(timeout=20)
    assert program.returncode == 1
    assert "process.failed" in err
    assert "RuntimeError: boom" in err


def test_returning_ends_it_with_0() -> None:
    program = start("return")
    program.communicate(timeout=20)
    assert program.returncode == 0
