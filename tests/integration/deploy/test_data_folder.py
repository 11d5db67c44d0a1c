"""Ports, secrets and logs in the data folder are kept as promised."""

import os
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from deploy.local.commands import keep_log_small
from deploy.local.kafka_jars import fetch, jars_folder
from deploy.local.parts import HOST
from deploy.local.port_choice import choose_ports, is_free
from deploy.local.postgres_cluster import drop_stale_lock
from deploy.local.refusals import StackRefused
from deploy.local.secret_files import SecretFiles


def test_ports_are_the_same_again_unless_taken(tmp_path: Path) -> None:
    kept_in = tmp_path / "ports.json"
    first = choose_ports(("a", "b"), kept_in=kept_in, demanded={})
    assert choose_ports(("a", "b"), kept_in=kept_in, demanded={}) == first
    with socket.create_server((HOST, first["a"])):
        second = choose_ports(("a", "b"), kept_in=kept_in, demanded={})
    assert second["a"] != first["a"]
    assert second["b"] == first["b"]


def test_a_demanded_port_that_is_taken_is_refused(tmp_path: Path) -> None:
    with socket.create_server((HOST, 0)) as taken:
        port = taken.getsockname()[1]
        assert not is_free(port)
        with pytest.raises(StackRefused, match=f"port {port}.*--port"):
            choose_ports((), kept_in=tmp_path / "p", demanded={"gateway": port})


def test_a_demanded_port_is_kept_for_the_next_time(tmp_path: Path) -> None:
    kept_in = tmp_path / "ports.json"
    free = choose_ports(("x",), kept_in=kept_in, demanded={})["x"]
    choose_ports(("gateway",), kept_in=kept_in, demanded={"gateway": free})
    again = choose_ports(("gateway",), kept_in=kept_in, demanded={})
    assert again["gateway"] == free


def test_secrets_are_made_once(tmp_path: Path) -> None:
    first = SecretFiles(tmp_path)
    assert first.master_key == SecretFiles(tmp_path).master_key
    assert first.master_key != first.key_pepper


def test_a_lock_whose_number_another_program_got_is_dropped(tmp_path: Path) -> None:
    lock = tmp_path / "postmaster.pid"
    lock.write_text(f"{os.getpid()}\n{tmp_path}\n")
    drop_stale_lock(tmp_path)
    assert not lock.exists()


def test_a_lock_of_nobody_is_left_to_postgres(tmp_path: Path) -> None:
    lock = tmp_path / "postmaster.pid"
    with subprocess.Popen([sys.executable, "-c", ""]) as ended:
        ended.wait()
    lock.write_text(f"{ended.pid}\n{tmp_path}\n")
    drop_stale_lock(tmp_path)
    assert lock.exists()


def test_a_grown_log_is_set_aside_once_and_written_on(tmp_path: Path) -> None:
    log = tmp_path / "a.log"
    with log.open("ab") as writer:
        writer.write(b"x" * (11 * 2**20))
        writer.flush()
        keep_log_small(log)
        writer.write(b"next\n")
    assert log.read_bytes() == b"next\n"
    assert (tmp_path / "a.log.1").stat().st_size == 11 * 2**20


def test_a_failed_download_leaves_no_folder_that_looks_whole(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("M2_REPO", "")  # `fetch` sets it; it is put back afterwards
    # Nobody listens there, so every request of the download fails.
    for name in ("HTTPS_PROXY", "https_proxy"):
        monkeypatch.setenv(name, f"http://{HOST}:9")
    folder = jars_folder(tmp_path)
    with pytest.raises(Exception, match=r"(?i)proxy|connect"):
        fetch(folder)
    assert not folder.exists()
    assert list(folder.parent.iterdir()) == []
