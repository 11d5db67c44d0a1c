"""What rests in Postgres when all is over, read by hand-written queries.

None of the house's stores is used: a fault in one of them would hide itself. The
connection is the database owner's, so that no policy hides a row.
"""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Final

import psycopg
from psycopg.rows import dict_row

Row = dict[str, Any]
FINAL: Final = frozenset({"succeeded", "failed", "cancelled", "expired"})


@dataclass
class JobFacts:
    """One job with all that belongs to it."""

    row: Row
    key: str | None = None
    """The client's own mark, independent of the table of keys."""
    events: list[Row] = field(default_factory=list)
    deliveries: list[Row] = field(default_factory=list)
    summaries: list[Row] = field(default_factory=list)
    leftovers: dict[str, int] = field(default_factory=dict)
    """Rows of text, by table: what an erasure has to take."""

    @property
    def id(self) -> str:
        return f"sum_{self.row['id'].hex}"

    @property
    def state(self) -> str:
        return str(self.row["state"])

    @property
    def is_final(self) -> bool:
        return self.state in FINAL


@dataclass(frozen=True)
class Facts:
    jobs: dict[str, JobFacts]
    now: datetime
    outbox_rows: int
    connections: list[str]
    """Sessions of processes of ours, by their application's name."""

    def of_key(self, key: str) -> Sequence[JobFacts]:
        return self._by_key.get(key, [])

    def __post_init__(self) -> None:
        by_key: dict[str, list[JobFacts]] = defaultdict(list)
        for job in self.jobs.values():
            if job.key is not None:
                by_key[job.key].append(job)
        object.__setattr__(self, "_by_key", by_key)

    _by_key: dict[str, list[JobFacts]] = field(init=False, repr=False)


_JOBS: Final = """
SELECT id, tenant_id, state, fence, attempt, version, lease_until, worker_id, suspect,
       deadline, tier, delivery, created_at, started_at, finished_at, coverage,
       error_code, erased_at, cancel_requested,
       (SELECT coalesce(jsonb_object_agg(m.key, m.value), '{}')
        FROM job_metadata m WHERE m.job_id = job.id) AS metadata
FROM job ORDER BY id
"""
_KEYS: Final = "SELECT job_id, value FROM job_metadata WHERE key = 'key'"
_EVENTS: Final = """
SELECT id, job_id, type, job_version, created_at,
       encode(sha256(body), 'hex') AS digest FROM event ORDER BY created_at
"""
_DELIVERIES: Final = """
SELECT d.*, (SELECT array_agg(a.error ORDER BY a.number) FROM delivery_attempt a
             WHERE a.delivery_id = d.id) AS tries
FROM delivery d ORDER BY d.created_at
"""
_SUMMARIES: Final = "SELECT job_id, fence, created_at FROM summary"
_ERASABLE: Final = ("job_key", "job_input", "chunk", "summary", "citation")
_SESSIONS: Final = """
SELECT application_name FROM pg_stat_activity
WHERE datname = current_database() AND application_name LIKE 'precis-%'
"""


def read_facts(database_url: str) -> Facts:
    """Everything in one snapshot."""
    with (
        psycopg.connect(database_url, row_factory=dict_row) as connection,
        connection.transaction(),
    ):
        connection.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ")
        jobs = {row["id"]: JobFacts(row) for row in connection.execute(_JOBS)}
        for row in connection.execute(_KEYS):
            jobs[row["job_id"]].key = row["value"]
        for row in connection.execute(_EVENTS):
            jobs[row["job_id"]].events.append(row)
        for row in connection.execute(_DELIVERIES):
            jobs[row["job_id"]].deliveries.append(row)
        for row in connection.execute(_SUMMARIES):
            jobs[row["job_id"]].summaries.append(row)
        _count_erasable(connection, jobs)
        return Facts(
            jobs={job.id: job for job in jobs.values()},
            now=_one(connection, "SELECT clock_timestamp()"),
            outbox_rows=_one(connection, "SELECT count(*) FROM outbox"),
            connections=[
                row["application_name"] for row in connection.execute(_SESSIONS)
            ],
        )


def _count_erasable(
    connection: psycopg.Connection[Row], jobs: dict[Any, JobFacts]
) -> None:
    for table in _ERASABLE:
        counted = f"SELECT job_id, count(*) AS many FROM {table} GROUP BY job_id"
        for row in connection.execute(counted.encode()):
            jobs[row["job_id"]].leftovers[table] = row["many"]


def _one(connection: psycopg.Connection[Row], query: str) -> Any:
    row = connection.execute(query.encode()).fetchone()
    return None if row is None else next(iter(row.values()))
