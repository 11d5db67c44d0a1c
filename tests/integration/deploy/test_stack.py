"""The local stack starts, stays, stops, and leaves nothing, whatever kills it."""

import os
import signal
import stat
from collections.abc import Callable
from pathlib import Path
from typing import Any

import psutil
import psycopg
import pytest
import redis

from tests.integration.deploy.stack_process import StackProcess, alive, eventually

StartStack = Callable[..., StackProcess]
SERVERS = ("postgres", "valkey", "kafka", "smtp")
READY_KEYS = {
    "url", "api_key", "webhook_secret", "database_url", "kafka", "redis_url", "smtp",
    "mail_dir", "engines", "health", "pids",
}  # fmt: skip


def test_all_servers_start_and_a_stop_leaves_no_process(
    start_stack: StartStack,
) -> None:
    stack = start_stack(*SERVERS)
    ready = stack.wait_ready()
    started = stack.everything_started()
    assert set(ready["pids"]) == set(SERVERS)
    assert set(ready["pids"].values()) <= {process.pid for process in started}
    stack.send(signal.SIGTERM)
    assert stack.wait() == 0
    assert alive(started) == []
    assert not (stack.folder / "ready.json").exists()


def test_the_ready_file_is_whole_and_its_owners_only(start_stack: StartStack) -> None:
    stack = start_stack("smtp")
    ready = stack.wait_ready()
    file = stack.folder / "ready.json"
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert set(ready) == READY_KEYS
    assert set(ready["kafka"]) == {"bootstrap", "topic", "dead_letter_topic"}
    assert set(ready["engines"]) == {"realtime", "batch"}


def test_secrets_are_their_owners_only(start_stack: StartStack) -> None:
    stack = start_stack("postgres", "valkey")
    stack.wait_ready()
    secrets = stack.folder / "secrets"
    assert stat.S_IMODE(secrets.stat().st_mode) == 0o700
    modes = {stat.S_IMODE(each.stat().st_mode) for each in secrets.iterdir()}
    assert modes == {0o600}


def test_nothing_is_left_five_seconds_after_the_supervisor_is_killed(
    start_stack: StartStack,
) -> None:
    stack = start_stack(*SERVERS)
    stack.wait_ready()
    started = stack.everything_started()
    stack.send(signal.SIGKILL)
    eventually(lambda: not alive(started), within=5, what=str(alive(started)))


def test_after_a_kill_the_next_start_has_the_same_data_ports_and_secrets(
    start_stack: StartStack,
) -> None:
    first = start_stack("postgres", "valkey")
    before = first.wait_ready()
    with psycopg.connect(before["database_url"]) as connection:
        connection.execute("CREATE TABLE kept AS SELECT 42 AS answer")
    first.send(signal.SIGKILL)
    first.wait()
    # At once: what the first left is ended by the second.
    (first.folder / "ready.json").unlink()
    after = start_stack("postgres", "valkey").wait_ready()
    assert (after["database_url"], after["redis_url"]) == (
        before["database_url"],
        before["redis_url"],
    )
    with psycopg.connect(after["database_url"]) as connection:
        assert connection.execute("SELECT answer FROM kept").fetchone() == (42,)


@pytest.mark.parametrize("victim", SERVERS)
def test_a_killed_server_comes_back_on_its_port(
    start_stack: StartStack, victim: str
) -> None:
    stack = start_stack(victim)
    before = stack.wait_ready()
    os.kill(before["pids"][victim], signal.SIGKILL)
    eventually(
        lambda: stack.ready["pids"][victim] != before["pids"][victim],
        within=10,
        what=f"{victim} was not started anew",
    )
    after = stack.ready
    assert {**after, "pids": {}} == {**before, "pids": {}}
    port = _port_of(before, victim)
    eventually(
        lambda: _listens(after["pids"][victim], port),
        within=20,
        what=f"{victim} does not listen on {port}",
    )


def test_a_supervisor_that_can_write_nothing_goes_on_once_it_can(
    start_stack: StartStack,
) -> None:
    stack = start_stack("valkey")
    before = stack.wait_ready()
    record = stack.folder / "run.json"
    record.unlink()
    record.mkdir()  # what cannot be replaced stands for a disk without room
    os.kill(before["pids"]["valkey"], signal.SIGKILL)
    stack.wait_told("it is tried again")
    guardian = 1
    assert len(stack.everything_started()) == guardian, "nobody has written it down"
    record.rmdir()
    eventually(
        lambda: stack.ready["pids"] != before["pids"],
        within=20,
        what="valkey was not started anew",
    )
    stack.send(signal.SIGTERM)
    assert stack.wait() == 0


def test_a_hint_survives_the_death_of_valkey(start_stack: StartStack) -> None:
    stack = start_stack("valkey")
    ready = stack.wait_ready()
    with redis.Redis.from_url(ready["redis_url"]) as client:
        client.config_set("appendfsync", "always")
        client.lpush("hints", "one")
        os.kill(ready["pids"]["valkey"], signal.SIGKILL)
    eventually(
        lambda: stack.ready["pids"] != ready["pids"], within=10, what="not restarted"
    )
    with redis.Redis.from_url(ready["redis_url"]) as client:
        eventually(lambda: _answers(client), within=10, what="valkey does not answer")
        assert client.lrange("hints", 0, -1) == [b"one"]


def test_a_killed_guardian_is_replaced_and_knows_everything(
    start_stack: StartStack,
) -> None:
    stack = start_stack("smtp")
    stack.wait_ready()
    (guardian,) = _guardians(stack)
    guardian.kill()
    eventually(
        lambda: [each for each in _guardians(stack) if each != guardian],
        within=5,
        what="no new guardian",
    )
    started = stack.everything_started()
    stack.send(signal.SIGKILL)
    eventually(lambda: not alive(started), within=5, what=str(alive(started)))


def test_ctrl_c_reaches_the_supervisor_alone(start_stack: StartStack) -> None:
    stack = start_stack("postgres", "smtp")
    ready = stack.wait_ready()
    groups = {os.getpgid(pid) for pid in ready["pids"].values()}
    assert os.getpgid(stack.pid) not in groups
    os.killpg(os.getpgid(stack.pid), signal.SIGINT)
    assert stack.wait() == 0
    assert "restart" not in stack.output()


def test_a_folder_in_use_is_refused_and_its_owner_not_disturbed(
    start_stack: StartStack,
) -> None:
    owner = start_stack("smtp")
    before = owner.wait_ready()
    second = start_stack("smtp")
    assert second.wait() == 1
    message = second.output()
    assert f"in use by process {owner.pid}" in message
    assert "--data" in message
    assert owner.ready == before


def test_a_server_that_cannot_start_is_told_with_its_own_words(
    start_stack: StartStack, folder: Path
) -> None:
    home = folder / "postgres"
    (home / "cluster").mkdir(parents=True)
    stack = start_stack("postgres", "smtp")
    assert stack.wait() == 1
    assert "postgres ended with status" in stack.output()
    assert not (folder / "ready.json").exists()


@pytest.mark.skipif(os.geteuid() != 0, reason="only root gives Postgres another user")
def test_root_is_told_which_folder_postgres_cannot_enter(
    start_stack: StartStack, folder: Path
) -> None:
    folder.parent.chmod(0o700)
    stack = start_stack("postgres")
    assert stack.wait() == 1
    message = stack.output()
    assert str(folder / "postgres") in message
    assert "chmod o+x" in message


def _port_of(ready: dict[str, Any], name: str) -> int:
    addresses = {
        "postgres": ready["database_url"].rpartition("/")[0],
        "valkey": ready["redis_url"].rpartition("/")[0],
        "kafka": ready["kafka"]["bootstrap"],
        "smtp": ready["smtp"],
    }
    return int(addresses[name].rpartition(":")[2])


def _listens(pid: int, port: int) -> bool:
    try:
        connections = psutil.Process(pid).net_connections(kind="tcp")
    except psutil.NoSuchProcess:
        return False
    return any(
        each.status == psutil.CONN_LISTEN and each.laddr.port == port
        for each in connections
    )


def _answers(client: "redis.Redis") -> bool:
    try:
        return bool(client.ping())
    except redis.ConnectionError:
        return False


def _guardians(stack: StackProcess) -> list[psutil.Process]:
    return [each for each in alive(stack.everything_started()) if _is_guardian(each)]


def _is_guardian(process: psutil.Process) -> bool:
    try:
        return "deploy.local.guardian" in process.cmdline()
    except psutil.NoSuchProcess:
        return False
