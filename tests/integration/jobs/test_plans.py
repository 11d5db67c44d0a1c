"""With 100,000 jobs or none, each hot statement uses the index made for it."""

import re
from datetime import timedelta
from typing import Any
from uuid import uuid4

from sqlalchemy import text

from jobs.operations.claim import CLAIM_SQL
from jobs.operations.leave import LEAVE_SQL, SWEEP_SQL
from jobs.operations.wait import EXPIRE_SQL, WAKE_SQL
from jobs.store.line_store import FIND_PLACE_SQL, OLDEST_DUE_SQL
from jobs.store.rows import as_rows
from plumbing.database import Database
from tests.builders import a_tenant, by_force

LOAD = """
INSERT INTO job (id, tenant_id, state, fence, attempt, lease_until, worker_id, run_at,
                 deadline, tag, tier, routing_reason, tokens, threshold, characters,
                 options, finished_at, coverage, error_code)
SELECT gen_random_uuid(), :tenant, s.state, 1, 1,
       CASE s.state WHEN 'running' THEN now() + interval '1 min' END,
       CASE s.state WHEN 'running' THEN 'w' END,
       now() + (n % 1000) * interval '1 min',
       now() + interval '1 day' + n * interval '1 ms', n, 'batch', 'long_text',
       5000, 3000, 20000, '{"length": "medium", "citations": false}',
       CASE WHEN s.state IN ('succeeded', 'failed') THEN now() END,
       CASE s.state WHEN 'succeeded' THEN 1 END,
       CASE s.state WHEN 'failed' THEN 'worker_lost' END
FROM generate_series(1, 100000) n
CROSS JOIN LATERAL (SELECT CASE WHEN n % 10 < 5 THEN 'queued' WHEN n % 10 < 6 THEN 'retry_wait'
    WHEN n % 1000 = 777 THEN 'running' WHEN n % 10 = 9 THEN 'failed'
    ELSE 'succeeded' END AS state) s
"""
STATEMENTS: dict[str, tuple[str, dict[str, Any], str]] = {
    "claim": (
        CLAIM_SQL.format(count=32),
        {
            "whole": False,
            "slack": 100_000,
            "worker": "w",
            "lease": timedelta(seconds=60),
        },
        "job_due",
    ),
    "sweep": (SWEEP_SQL, {"pause": timedelta(seconds=2)}, "job_running"),
    "wake": (WAKE_SQL, {}, "job_wait"),
    "expire": (EXPIRE_SQL, {}, "job_deadline"),
    "place": (FIND_PLACE_SQL, {"id": uuid4(), "enough": 10_000}, "job_due"),
    "oldest due": (OLDEST_DUE_SQL, {}, "job_due"),
    "leave": (
        LEAVE_SQL,
        {"departures": as_rows([{"id": uuid4(), "fence": 1, "wish": "queued"}])},
        "job_pkey",
    ),
}


async def test_hot_statements_use_their_indexes(database: Database) -> None:
    tenant = await a_tenant(database)
    await by_force(database, LOAD, tenant=tenant.id)
    async with database.statement() as tx:
        await tx.execute(text("VACUUM ANALYZE job"))
    # Because it is the cheapest way, not because another is forbidden.
    await _expect_indexes(database, first="SET LOCAL enable_seqscan = on")


async def test_a_plan_made_on_an_empty_table_uses_the_index_too(
    database: Database,
) -> None:
    """It is kept when thousands of rows come; to read all of them for one is no plan."""
    async with database.statement() as tx:
        await tx.execute(text("VACUUM ANALYZE"))
    await _expect_indexes(database, first="SELECT 1")


async def _expect_indexes(database: Database, *, first: str) -> None:
    for name, (statement, values, index) in STATEMENTS.items():
        plan = await _explain(database, statement, values, first=first)
        assert re.search(rf"Scan (using|on) {index}\b", plan), f"{name}:\n{plan}"
        assert "Seq Scan on job " not in plan, f"{name}:\n{plan}"


async def _explain(
    database: Database, statement: str, values: dict[str, Any], *, first: str
) -> str:
    async with database.transaction() as tx:
        await tx.execute(text(first))
        rows = await tx.execute(text("EXPLAIN " + statement), values)
        return "\n".join(row[0] for row in rows)
