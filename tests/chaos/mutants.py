"""Five ways to break the guarantees on purpose: if the checker passes one, it sleeps.

A mutant is the system with a few words of its source changed as a module is loaded
(`mutated/sitecustomize.py`, put on the path of the processes under test), or with its
database altered. Nothing of it exists outside such a run. Where a race would strike
too seldom to be relied on, the mutant also widens the moment in which it can; what it
takes away is told by `removes`.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from importlib.util import find_spec
from pathlib import Path
from typing import Final

import psycopg

FOLDER: Final = Path(__file__).with_name("mutated")
_VARIABLE: Final = "CHAOS_MUTANT"


@dataclass(frozen=True, kw_only=True)
class Change:
    module: str
    old: str
    new: str
    times: int = 1


@dataclass(frozen=True, kw_only=True)
class Mutant:
    removes: str
    expects: tuple[str, ...]
    """Words of the violations, any of which is the right reason to fail."""
    changes: tuple[Change, ...] = ()
    sql: str = ""
    faults: tuple[str, ...] = ("kill", "stop")
    targets: str = "worker"
    every: float = 1.0
    jobs: int = 150
    engine_seconds: float = 0.6
    environment: Mapping[str, str] = field(default_factory=dict)
    habits: Mapping[str, float] = field(default_factory=dict)
    latency: Mapping[str, float] = field(default_factory=dict)


_LEAVE: Final = "jobs.operations.leave"
_SUBMIT: Final = "jobs.operations.submit"
_KEYS: Final = "jobs.operations.idempotency"
_CHUNKS: Final = "jobs.store.chunk_store"

# Written a moment after the ending, as a task that runs behind it would.
_LATE_DELIVERIES: Final = """
    left = {row.id: State(row.state) for row in rows}
    import asyncio
    await asyncio.sleep(0.6)
    await tx.execute(text(
        "INSERT INTO delivery (event_id, job_id, tenant_id, kind, receiver, lane) "
        "SELECT e.id, j.id, j.tenant_id, 'webhook', j.delivery ->> 'webhook_url', "
        "j.delivery ->> 'webhook_lane' FROM job j JOIN event e ON e.job_id = j.id "
        "WHERE j.id = ANY(CAST(:ids AS uuid[])) "
        "UNION ALL "
        "SELECT e.id, j.id, j.tenant_id, 'email', address, "
        "'mail:' || split_part(address, '@', 2) "
        "FROM job j JOIN event e ON e.job_id = j.id "
        "CROSS JOIN jsonb_array_elements_text(coalesce(j.delivery -> 'email', '[]')) address "
        "WHERE j.id = ANY(CAST(:ids AS uuid[]))"
    ), {"ids": list(left)})
    return left
"""

MUTANTS: Final[Mapping[str, Mutant]] = {
    "fence": Mutant(
        removes="the fence from the statement that leaves `running`",
        expects=("stale holder", "ending changed", "summaries"),
        changes=(
            Change(
                module=_LEAVE,
                old="ON h.id = g.id AND h.fence = g.fence",
                new="ON h.id = g.id",
            ),
            Change(
                module=_LEAVE,
                old="WHERE j.id = leaving.id AND j.fence = leaving.fence",
                new="WHERE j.id = leaving.id",
                times=2,  # the sweeper's too, which has the row locked
            ),
        ),
        faults=("stop",),
        every=2.0,
        # The next holder is still at work when the frozen one wakes; had it ended the
        # job, the database would refuse the stale ending whatever the statement says.
        engine_seconds=5.0,
        habits={"long": 0.0, "hasty": 0.0, "cancelled": 0.0, "realtime": 0.0},
        latency={"postgres-worker": 0.04},
        # What the frozen one held finds another holder at once.
        environment={"PRECIS_WORKER_SLOTS": "32", "PRECIS_WORKER_THREADS": "16"},
    ),
    "deliveries": Mutant(
        removes="the deliveries from the transaction of the ending",
        expects=("ended with 0 of", "of 2 deliveries"),
        changes=(
            Change(
                module=_LEAVE,
                old="_LEAVE: Final = text(LEAVE_SQL)",
                new="_LEAVE: Final = text(LEAVE_SQL.replace("
                '"FROM told JOIN receivers r USING (job_id)", '
                '"FROM told JOIN receivers r USING (job_id) WHERE false"))',
            ),
            Change(
                module=_LEAVE,
                old="    return {row.id: State(row.state) for row in rows}\n\n\ndef _row",
                new=_LATE_DELIVERIES + "\n\ndef _row",
            ),
        ),
        faults=("kill",),
        every=2.5,  # a worker has to come to work between two kills
        jobs=250,
        habits={"realtime": 0.0, "cancelled": 0.0},
    ),
    "reconciler": Mutant(
        removes="the reconciler's replacement of hints that kills lost",
        expects=("still queued", "still retry_wait", "ended"),
        changes=(
            Change(
                module="workers.dispatcher.reconciler_loop",
                old="            await self._replace_lost_hints()\n",
                new="            pass\n",
            ),
        ),
        faults=("kill",),
        # Enough in their hands that every kill takes hints along.
        engine_seconds=2.0,
    ),
    "idempotency": Mutant(
        removes="the unique index of the idempotency keys",
        expects=("made sum_", "was answered with"),
        changes=(
            Change(
                module=_SUBMIT,
                old="    ON CONFLICT (tenant_id, key) DO NOTHING\n",
                new="",
            ),
        ),
        sql="""
            ALTER TABLE idempotency_key DROP CONSTRAINT idempotency_key_pkey;
            CREATE INDEX ON idempotency_key (tenant_id, key);
        """,
        faults=("net",),
        habits={"doubled": 0.5, "realtime": 0.0},
    ),
    "erasure": Mutant(
        removes="the row lock on the job under a chunk's write, while jobs are erased",
        expects=("erased, yet",),
        changes=(
            Change(
                module=_CHUNKS,
                old="statement_timestamp()\n    ORDER BY j.id FOR SHARE OF j\n",
                # Between the look at the fence and the write an erasure has its time.
                new="statement_timestamp() AND pg_sleep(0.3) IS NOT NULL\n",
            ),
        ),
        faults=("stop",),
        every=3.0,
        habits={"long": 0.6, "erased": 0.6, "cancelled": 0.0, "realtime": 0.0},
    ),
}


def environment_of(name: str | None) -> dict[str, str]:
    """What the processes under test are told; nothing without a mutant."""
    if name is None:
        return {}
    changes = [vars(change) for change in MUTANTS[name].changes]
    told = {"PYTHONPATH": str(FOLDER), _VARIABLE: json.dumps(changes)}
    return {**told, **MUTANTS[name].environment}


def apply_to_database(name: str | None, database_url: str) -> None:
    if name is not None and MUTANTS[name].sql:
        with psycopg.connect(database_url, autocommit=True) as connection:
            connection.execute(MUTANTS[name].sql.encode())


def misfits() -> list[str]:
    """Changes whose words the source no longer has: the mutant would be none."""
    found = []
    for name, mutant in MUTANTS.items():
        for change in mutant.changes:
            spec = find_spec(change.module)
            assert spec is not None
            assert spec.origin is not None
            source = Path(spec.origin).read_text(encoding="utf-8")
            if source.count(change.old) != change.times:
                found.append(f"{name}: {change.module}: {change.old.strip()}")
    return found
