"""Claims are as quick before a million waiting jobs as before a thousand.

Two databases, one behind each backlog, take turns, so that both feel whatever else the
machine does. What was claimed is left and replaced, so the depth stays the same; only
the claims are timed. Once more with a snapshot held open all the while, which keeps
every dead row of an earlier claim in place.
"""

import time
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from datetime import timedelta
from statistics import median
from typing import Final
from uuid import uuid4

import psycopg
import pytest
from sqlalchemy import text
from sqlalchemy.engine import make_url

from jobs.lifecycle import State
from jobs.operations.claim import claim
from jobs.operations.leave import Departure, leave
from jobs.operations.submit import Submission, submit
from plumbing.database import Database
from tests.builders import TenantForTests, a_submission, a_tenant, by_force, rows
from tests.figures.record import record

_FEW: Final = 1_000
_MANY: Final = 1_000_000
_TENANTS: Final = 10
_TOKENS: Final = 5_000
_BATCH: Final = 32
_ROUNDS: Final = 20
_CLAIMS_A_ROUND: Final = 20
_WHOLE_EVERY: Final = 1.0
"""Seconds: as often as a worker looks behind the floor."""
_GOAL: Final = 0.9

# In each tenant's lane one job after the other, as their admissions would have put them;
# ids rise with the time of admission, so that neighbours in line are neighbours on disk.
_LOAD: Final = """
WITH given AS (
    SELECT CAST(:tenants AS integer) AS tenants, CAST(:tokens AS integer) AS tokens,
           CAST(:count AS integer) AS count
), tenants AS (
    SELECT id, row_number() OVER (ORDER BY id) - 1 AS number FROM tenant
), loaded AS (
    INSERT INTO job (id, tenant_id, state, deadline, tag, tier, routing_reason, tokens,
                     threshold, characters, options, text_bytes)
    SELECT ('01930000-0000-7000-8000-' || lpad(to_hex(n), 12, '0'))::uuid,
           t.id, 'queued', now() + interval '1 day',
           (n / g.tenants) * g.tokens, 'batch', 'asked', g.tokens, 3000, 20000,
           '{"length": "medium", "citations": false}', 64
    FROM given g CROSS JOIN generate_series(0, g.count - 1) n
    JOIN tenants t ON t.number = n % g.tenants
    RETURNING id
), keys AS (
    INSERT INTO job_key (job_id, wrapped) SELECT id, decode(repeat('ab', 60), 'hex')
    FROM loaded
), lanes AS (
    UPDATE lane SET tail = (g.count / g.tenants) * g.tokens,
        admitted_jobs = g.count / g.tenants, admitted_bytes = g.count / g.tenants * 64
    FROM given g
)
INSERT INTO job_input (job_id, sealed) SELECT id, decode(repeat('ab', 64), 'hex')
FROM loaded
"""


class Line:
    """One database with its backlog."""

    def __init__(self, url: str, *, waiting: int) -> None:
        self.database = Database(
            url, pool_size=3, statement_timeout=timedelta(minutes=3)
        )
        self.waiting = waiting
        self._tenants: list[TenantForTests] = []
        self._whole_at = 0.0

    async def fill(self) -> None:
        self._tenants = [await a_tenant(self.database) for _ in range(_TENANTS)]
        values = {"tenants": _TENANTS, "tokens": _TOKENS, "count": self.waiting}
        await by_force(self.database, _LOAD, **values)
        async with self.database.statement() as tx:
            await tx.execute(text("VACUUM ANALYZE job, job_key, job_input"))

    async def take_turn(self) -> float:
        """Claim, leave and replace some batches; jobs claimed a second of claiming."""
        spent, count = 0.0, 0
        for _ in range(_CLAIMS_A_ROUND):
            whole = time.monotonic() - self._whole_at >= _WHOLE_EVERY
            if whole:
                self._whole_at = time.monotonic()
            async with self.database.statement() as tx:
                began = time.perf_counter()
                claims = await claim(
                    tx,
                    count=_BATCH,
                    worker_id="w",
                    lease=timedelta(minutes=1),
                    whole=whole,
                )
                spent += time.perf_counter() - began
                count += len(claims)
                await leave(
                    tx,
                    [
                        Departure(
                            id=each.id,
                            fence=each.fence,
                            wish=State.FAILED,
                            error_code="internal_error",
                        )
                        for each in claims
                    ],
                )
                await submit(tx, self._as_many(len(claims)))
        assert count == _BATCH * _CLAIMS_A_ROUND
        return count / spent

    async def depth(self) -> int:
        [row] = await rows(
            self.database, "SELECT count(*) FROM job WHERE state = 'queued'"
        )
        return int(row[0])

    @asynccontextmanager
    async def open_snapshot(self) -> AsyncIterator[None]:
        """As a long backup holds one."""
        async with self.database.transaction() as tx:
            await tx.execute(text("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ"))
            await tx.execute(text("SELECT count(*) FROM tenant"))
            yield

    def _as_many(self, count: int) -> list[Submission]:
        return [
            a_submission(self._tenants[n % _TENANTS].id, tokens=_TOKENS)
            for n in range(count)
        ]


@pytest.fixture
def second_url(postgres_url: str, template_url: str) -> Iterator[str]:
    name = f"test_{uuid4().hex}"
    template = make_url(template_url).database
    with psycopg.connect(postgres_url, autocommit=True) as connection:
        connection.execute(f"CREATE DATABASE {name} TEMPLATE {template}".encode())
    url = make_url(postgres_url).set(database=name)
    yield url.render_as_string(hide_password=False)
    with psycopg.connect(postgres_url, autocommit=True) as connection:
        connection.execute(f"DROP DATABASE {name} WITH (FORCE)".encode())


@pytest.fixture
async def lines(database_url: str, second_url: str) -> AsyncIterator[tuple[Line, Line]]:
    few, many = Line(database_url, waiting=_FEW), Line(second_url, waiting=_MANY)
    try:
        await few.fill()
        await many.fill()
        yield few, many
    finally:
        for line in (few, many):
            await line.database.close()


@pytest.mark.timeout(240)
async def test_claims_before_a_million_are_as_quick_as_before_a_thousand(
    lines: tuple[Line, Line],
) -> None:
    few, many = lines
    plain = await _compare(few, many)
    async with few.open_snapshot(), many.open_snapshot():
        held = await _compare(few, many)
    assert (await few.depth(), await many.depth()) == (_FEW, _MANY)
    assert plain["ratio"] >= _GOAL, plain
    assert held["ratio"] >= _GOAL, held
    record(
        figure="backlog",
        what="claim speed before 1,000,000 waiting jobs, against that before 1,000;"
        " once more with a snapshot held open",
        size=f"{_ROUNDS * _CLAIMS_A_ROUND * _BATCH:,} jobs claimed from each backlog"
        f" in claims of {_BATCH}, each replaced; twice",
        result={
            "ratio": plain["ratio"],
            "jobs a second before 1,000": plain["few"],
            "jobs a second before 1,000,000": plain["many"],
            "ratio under a snapshot": held["ratio"],
            "jobs a second before 1,000 under a snapshot": held["few"],
            "jobs a second before 1,000,000 under a snapshot": held["many"],
        },
        goal="at least 0.9, both times",
        command="make test-faults",
    )


async def _compare(few: Line, many: Line) -> dict[str, float]:
    """Medians over the rounds, in which both took turns."""
    turns = [(await few.take_turn(), await many.take_turn()) for _ in range(_ROUNDS)]
    return {
        "ratio": round(median(of_many / of_few for of_few, of_many in turns), 2),
        "few": round(median(of_few for of_few, _ in turns)),
        "many": round(median(of_many for _, of_many in turns)),
    }
