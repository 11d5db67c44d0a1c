"""All ten processes together, our own included, through a kill of the supervisor."""

import signal
import urllib.request
from typing import Any

import psycopg

from tests.integration.deploy.conftest import StartStack
from tests.integration.deploy.stack_process import alive, eventually

PROCESSES = {
    "postgres", "valkey", "kafka", "smtp", "engine-realtime", "engine-batch",
    "gateway", "dispatcher", "worker", "notifier",
}  # fmt: skip
OURS = ("gateway", "dispatcher", "worker", "notifier")
_SESSIONS = """
SELECT DISTINCT application_name, usename FROM pg_stat_activity
WHERE datname = current_database() AND pid <> pg_backend_pid()
  AND backend_type = 'client backend'
"""


def test_the_whole_stack_comes_back_with_the_same_key_after_a_kill(
    start_stack: StartStack,
) -> None:
    first = start_stack()
    before = first.wait_ready()
    assert set(before["pids"]) == PROCESSES
    assert {_status(url) for url in before["health"].values()} == {200}
    assert _list_jobs(before) == 200
    assert _sessions(before) == {
        (f"precis-{kind}", f"precis_{kind}_login") for kind in OURS
    }
    started = first.everything_started()
    first.send(signal.SIGKILL)
    eventually(lambda: not alive(started), within=5, what=str(alive(started)))
    (first.folder / "ready.json").unlink()

    after = start_stack().wait_ready()
    assert {**after, "pids": {}} == {**before, "pids": {}}
    assert _list_jobs(after) == 200


def _sessions(ready: dict[str, Any]) -> set[tuple[str, str]]:
    """Who is in the database, and under which user."""
    with psycopg.connect(ready["database_url"]) as connection:
        return set(connection.execute(_SESSIONS).fetchall())


def _list_jobs(ready: dict[str, Any]) -> int:
    headers = {"Authorization": f"Bearer {ready['api_key']}"}
    return _status(f"{ready['url']}/v1/summaries", headers)


def _status(url: str, headers: dict[str, str] | None = None) -> int:
    request = urllib.request.Request(url, headers=headers or {})  # noqa: S310  our own address
    with urllib.request.urlopen(request, timeout=10) as answer:  # noqa: S310  the same
        status: int = answer.status
        return status
