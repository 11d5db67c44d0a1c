"""The database refuses what would break the machine, also when a hand writes it."""

from collections.abc import Iterator
from itertools import product
from typing import Any, Final
from uuid import UUID, uuid4

import psycopg
import pytest

from jobs.lifecycle import FINAL, TRANSITIONS, State

Connection = psycopg.Connection[Any]

_JOB: Final = """
INSERT INTO job (id, tenant_id, state, fence, attempt, version, lease_until, worker_id,
                 deadline, tag, tier, routing_reason, tokens, threshold, characters,
                 options, finished_at, coverage, error_code)
SELECT %(id)s, %(tenant)s, s.state, %(fence)s, %(attempt)s, %(version)s,
       CASE s.state WHEN 'running' THEN now() + interval '1 min' END,
       CASE s.state WHEN 'running' THEN 'w' END,
       now() + interval '1 day', 1, 'batch', 'long_text', 5000, 3000, 20000, '{}',
       CASE WHEN s.state = ANY(%(final)s) THEN now() END,
       CASE s.state WHEN 'succeeded' THEN 1 END,
       CASE s.state WHEN 'failed' THEN 'worker_lost' END
FROM (SELECT %(state)s::text AS state) s
"""
# With all that the CHECK constraints want to see beside the new state.
_STEP: Final = """
UPDATE job SET state = %(target)s, fence = fence + %(fence)s,
    version = version + %(version)s, attempt = attempt + %(attempt)s,
    lease_until = CASE %(target)s WHEN 'running' THEN now() + interval '1 min' END,
    worker_id = CASE %(target)s WHEN 'running' THEN coalesce(worker_id, 'w') END,
    finished_at = CASE WHEN %(target)s = ANY(%(final)s) THEN now() END,
    coverage = CASE %(target)s WHEN 'succeeded' THEN 1 END,
    error_code = CASE %(target)s WHEN 'failed' THEN 'worker_lost' END
WHERE id = %(id)s
"""
_TOLD: Final = """
INSERT INTO event (id, job_id, tenant_id, type, job_version)
SELECT 'evt_' || id, id, tenant_id, 'summary.' || state, version FROM job WHERE id = %s
"""
_SUMMARY: Final = "INSERT INTO summary (job_id, sealed, fence) VALUES (%s, 'x', 1)"


@pytest.fixture
def connection(database_url: str) -> Iterator[Connection]:
    with psycopg.connect(database_url, autocommit=True) as opened:
        yield opened


@pytest.fixture
def tenant(connection: Connection) -> UUID:
    tenant_id = uuid4()
    connection.execute(
        "INSERT INTO tenant (id, name, owner_email, webhook_secret)"
        " VALUES (%s, 'a', 'a@example.com', 'x')",
        [tenant_id],
    )
    return tenant_id


def a_job(
    connection: Connection, tenant: UUID, state: State, *, attempt: int = 1
) -> UUID:
    """A job put into any state, past the guards, with its event where it has ended."""
    job = uuid4()
    with connection.transaction():
        connection.execute("SET LOCAL session_replication_role = replica")
        connection.execute(
            _JOB, _new(job, tenant, state, fence=3, attempt=attempt, version=5)
        )
    if state in FINAL:
        connection.execute(_TOLD, [job])
    return job


def _new(job: UUID, tenant: UUID, state: State, **counts: int) -> dict[str, Any]:
    values = {"id": job, "tenant": tenant, "state": state.value, "final": list(FINAL)}
    return values | counts


def is_refused(connection: Connection, *statements: tuple[str, Any]) -> bool:
    """Try them as one transaction, the checks at its end included; nothing stays."""
    try:
        with connection.transaction(force_rollback=True):
            for statement, values in statements:
                connection.execute(statement, values)
            connection.execute("SET CONSTRAINTS ALL IMMEDIATE")
    except psycopg.errors.IntegrityError:
        return True
    return False


def _ways(connection: Connection, job: UUID, target: State) -> Iterator[bool]:
    """Each way to count along with the step; whether it was refused."""
    ending: list[tuple[str, Any]] = [(_TOLD, [job])] if target in FINAL else []
    if target is State.SUCCEEDED:
        ending.append((_SUMMARY, [job]))
    for fence, version, attempt in product((0, 1), (0, 1), (-1, 0, 1)):
        counts = {"fence": fence, "version": version, "attempt": attempt}
        values = {"id": job, "target": target.value, "final": list(FINAL)} | counts
        yield is_refused(connection, (_STEP, values), *ending)


def test_only_the_steps_of_the_lifecycle_are_taken(
    connection: Connection, tenant: UUID
) -> None:
    """Each pair of states, by hand: what SQL lets pass is what Python knows."""
    passed: set[tuple[State, State]] = set()
    for source in State:
        job = a_job(connection, tenant, source)
        passed |= {
            (source, target)
            for target in State
            if not all(_ways(connection, job, target))
        }
    assert passed == {(step.source, step.target) for step in TRANSITIONS if step.source}


def test_a_job_begins_only_as_the_lifecycle_says(
    connection: Connection, tenant: UUID
) -> None:
    passed = set()
    for state, attempt in product(State, (0, 1)):
        job = uuid4()
        values = _new(job, tenant, state, fence=0, attempt=attempt, version=1)
        ending = [(_TOLD, [job])] if state in FINAL else []
        if not is_refused(connection, (_JOB, values), *ending, (_SUMMARY, [job])):
            passed.add(state)
    assert passed == {step.target for step in TRANSITIONS if step.source is None}


@pytest.mark.parametrize(
    ("state", "change"),
    [
        (State.RUNNING, "fence = fence - 1"),
        (State.RUNNING, "fence = fence + 1"),
        (State.RUNNING, "version = version - 1"),
        (State.RUNNING, "attempt = attempt + 1"),
        (State.RUNNING, "worker_id = 'another'"),
        (State.RUNNING, "attempt = 6"),
        (State.QUEUED, "fence = fence - 1"),
        (State.QUEUED, "cancel_requested = true"),
        (State.QUEUED, "erased_at = now()"),
        (State.QUEUED, "id = gen_random_uuid()"),
        (State.RETRY_WAIT, "tier = 'realtime'"),
        (State.RETRY_WAIT, "fence = fence + 1, state = 'queued', version = 1"),
        # The fence rises with each claim and each leaving.
        (
            State.QUEUED,
            (
                "state = 'running', version = version + 1, attempt = attempt + 1,"
                " lease_until = now(), worker_id = 'w'"
            ),
        ),
        (
            State.RUNNING,
            (
                "state = 'queued', version = version + 1, lease_until = NULL,"
                " worker_id = NULL"
            ),
        ),
    ],
)
def test_a_live_job_is_not_bent(
    connection: Connection, tenant: UUID, state: State, change: str
) -> None:
    job = a_job(connection, tenant, state)
    assert is_refused(connection, (f"UPDATE job SET {change} WHERE id = %s", [job]))


def test_a_cancel_that_was_asked_for_wins(connection: Connection, tenant: UUID) -> None:
    job = a_job(connection, tenant, State.RUNNING)
    asked = (
        "UPDATE job SET cancel_requested = true, version = version + 1 WHERE id = %s",
        [job],
    )
    taken_back = ("UPDATE job SET cancel_requested = false WHERE id = %s", [job])
    assert not is_refused(connection, asked)
    assert is_refused(connection, asked, taken_back)
    for target in (State.QUEUED, State.RETRY_WAIT, State.FAILED, State.EXPIRED):
        counts = {"fence": 1, "version": 1, "attempt": 0}
        values = {"id": job, "target": target.value, "final": list(FINAL)} | counts
        ending = [(_TOLD, [job])] if target in FINAL else []
        assert is_refused(connection, asked, (_STEP, values), *ending), target


_ANOTHER: Final = {
    "uuid": "gen_random_uuid()",
    "text": "{column} || 'x'",
    "bigint": "{column} + 1",
    "integer": "coalesce({column}, 1) + 1",
    "boolean": "NOT {column}",
    "jsonb": """'{{"another": 1}}'""",
    "timestamp with time zone": "now() + interval '2 h'",
    "double precision": "coalesce({column}, 1) / 2",
    "ARRAY": "ARRAY['another']",
}
_COLUMNS: Final = """
SELECT column_name, data_type FROM information_schema.columns
WHERE table_name = 'job' AND table_schema = 'public'
"""


@pytest.mark.parametrize("state", sorted(FINAL))
def test_nothing_of_an_ended_job_changes_but_that_it_was_erased_once(
    connection: Connection, tenant: UUID, state: State
) -> None:
    job = a_job(connection, tenant, state)
    for column, kind in connection.execute(_COLUMNS).fetchall():
        value = _ANOTHER[kind].format(column=f"coalesce({column}, '')")
        if kind != "text":
            value = _ANOTHER[kind].format(column=column)
        statement = f"UPDATE job SET {column} = {value} WHERE id = %s"
        assert is_refused(connection, (statement, [job])) is (column != "erased_at")
    erase = ("UPDATE job SET erased_at = now() WHERE id = %s", [job])
    again = (
        "UPDATE job SET erased_at = now() + interval '1 s' WHERE id = %s",
        [job],
    )
    assert is_refused(connection, erase, again)


def test_an_ending_is_told_and_a_success_has_its_summary(
    connection: Connection, tenant: UUID
) -> None:
    job = a_job(connection, tenant, State.RUNNING)

    def step(target: State) -> tuple[str, Any]:
        counts = {"fence": 1, "version": 1, "attempt": 0}
        values = {"id": job, "target": target.value, "final": list(FINAL)} | counts
        return _STEP, values

    told, summary = (_TOLD, [job]), (_SUMMARY, [job])
    assert is_refused(connection, step(State.FAILED))
    assert not is_refused(connection, step(State.FAILED), told)
    assert is_refused(connection, step(State.SUCCEEDED), told)
    assert not is_refused(connection, step(State.SUCCEEDED), told, summary)
    other = ("UPDATE event SET type = 'summary.failed' WHERE job_id = %s", [job])
    assert is_refused(connection, step(State.SUCCEEDED), told, summary, other)


def test_jobs_and_what_was_told_of_them_are_kept(
    connection: Connection, tenant: UUID
) -> None:
    ended, live = (
        a_job(connection, tenant, state) for state in (State.FAILED, State.QUEUED)
    )
    for job in (ended, live):
        assert is_refused(connection, ("DELETE FROM job WHERE id = %s", [job]))
    assert is_refused(connection, ("DELETE FROM event WHERE job_id = %s", [ended]))


def test_a_body_is_frozen_once(connection: Connection, tenant: UUID) -> None:
    job = a_job(connection, tenant, State.FAILED)
    freeze = ("UPDATE event SET body = 'first' WHERE job_id = %s", [job])
    thaw = ("UPDATE event SET body = 'second' WHERE job_id = %s", [job])
    assert not is_refused(connection, freeze, freeze)
    assert is_refused(connection, freeze, thaw)


_DELIVERY: Final = """
INSERT INTO delivery (event_id, job_id, tenant_id, kind, receiver, lane, state, fence,
                      attempt, lease_until, finished_at)
SELECT e.id, e.job_id, e.tenant_id, 'email', 'a@example.com', 'mail:example.com',
       s.state, 2, 1, CASE s.state WHEN 'sending' THEN now() END,
       CASE WHEN s.state NOT IN ('due', 'sending') THEN now() END
FROM event e CROSS JOIN (SELECT %s::text AS state) s WHERE e.job_id = %s
"""
_FINISHED: Final = ("delivered", "exhausted", "blocked", "refused", "cancelled")


def test_a_delivery_goes_by_sending_and_ends_once(
    connection: Connection, tenant: UUID
) -> None:
    job = a_job(connection, tenant, State.FAILED)
    passed = set()
    states = ("due", "sending", *_FINISHED)
    for source, target in product(states, states):
        insert = (_DELIVERY, [source, job])
        step = (
            (
                "UPDATE delivery SET state = %(to)s, fence = fence + 1,"
                " lease_until = CASE %(to)s WHEN 'sending' THEN now() END,"
                " finished_at = CASE WHEN %(to)s NOT IN ('due', 'sending')"
                " THEN coalesce(finished_at, now()) END WHERE job_id = %(job)s"
            ),
            {"to": target, "job": job},
        )
        if source != target and not is_refused(connection, insert, step):
            passed.add((source, target))
    assert passed == {
        ("due", "sending"),
        ("due", "cancelled"),
        *(("sending", target) for target in ("due", *_FINISHED)),
    }


@pytest.mark.parametrize(
    ("state", "change"),
    [
        ("due", "fence = fence - 1"),
        ("due", "attempt = attempt - 1"),
        ("due", "event_id = event_id"),
        ("due", "tenant_id = gen_random_uuid()"),
        ("due", "state = 'cancelled', finished_at = now()"),
        ("delivered", "attempt = attempt + 1"),
        ("delivered", "finished_at = finished_at + interval '1 s'"),
    ],
)
def test_a_delivery_is_not_bent(
    connection: Connection, tenant: UUID, state: str, change: str
) -> None:
    job = a_job(connection, tenant, State.FAILED)
    insert = (_DELIVERY, [state, job])
    statement = f"UPDATE delivery SET {change} WHERE job_id = %s"
    assert is_refused(connection, insert, (statement, [job]))


_INPUT: Final = "INSERT INTO job_input (job_id, sealed) VALUES (%s, 'x')"
_CITATION: Final = "INSERT INTO citation (job_id, sealed) VALUES (%s, 'x')"
_HINT: Final = "INSERT INTO outbox (job_id) VALUES (%s)"
_CHUNK: Final = """
INSERT INTO chunk (job_id, stage, idx, start_offset, end_offset, tokens, state, sealed,
                   fence, done_at)
VALUES (%s, 0, 0, 0, 10, 3, 'done', 'x', 1, now())
"""
_KEY: Final = """
INSERT INTO idempotency_key (tenant_id, key, fingerprint, job_id, expires_at)
SELECT tenant_id, 'k', 'x', id, now() + interval '1 h' FROM job WHERE id = %s
"""


@pytest.mark.parametrize(
    ("insert", "change"),
    [
        (_INPUT, "UPDATE job_input SET sealed = 'y' WHERE job_id = %s"),
        (_SUMMARY, "UPDATE summary SET sealed = 'y' WHERE job_id = %s"),
        (_CITATION, "UPDATE citation SET sealed = 'y' WHERE job_id = %s"),
        (_HINT, "UPDATE outbox SET created_at = now() WHERE job_id = %s"),
        (_CHUNK, "UPDATE chunk SET sealed = 'y' WHERE job_id = %s"),
        (
            _KEY,
            "UPDATE idempotency_key SET job_id = gen_random_uuid() WHERE job_id = %s",
        ),
    ],
)
def test_what_was_written_once_stays(
    connection: Connection, tenant: UUID, insert: str, change: str
) -> None:
    job = a_job(connection, tenant, State.RUNNING)
    assert not is_refused(connection, (insert, [job]))
    assert is_refused(connection, (insert, [job]), (change, [job]))


def test_a_revoked_key_and_a_deleted_endpoint_do_not_come_back(
    connection: Connection, tenant: UUID
) -> None:
    key = (
        (
            "INSERT INTO api_key (id, tenant_id, secret_hmac, revoked_at)"
            " VALUES ('00000000', %s, sha256('x'), now())"
        ),
        [tenant],
    )
    endpoint = (
        (
            "INSERT INTO webhook_endpoint (id, tenant_id, url, secret, state)"
            " VALUES (gen_random_uuid(), %s, 'https://a.example/', 'x', 'deleted')"
        ),
        [tenant],
    )
    assert not is_refused(connection, key, endpoint)
    assert is_refused(connection, key, ("UPDATE api_key SET revoked_at = NULL", None))
    revive = ("UPDATE webhook_endpoint SET state = 'enabled'", None)
    assert is_refused(connection, endpoint, revive)
