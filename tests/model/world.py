"""Where the model plays: one real database whose clock it moves, and eight actors.

An actor is a process as the database sees one: a connection of its own, and a memory of
what it once claimed or reserved. It never learns that a lease was lost until it tries,
so that what comes too late is tried all the time.
"""

from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from random import Random
from typing import Any, Final
from uuid import UUID

from sqlalchemy import text

from jobs.operations.claim import Claim
from jobs.operations.retain import Kept
from jobs.operations.submit import NewJob, Submission
from notifier.claim_store import ClaimedDelivery
from plumbing.database import Database, Transaction
from tests.builders import TenantForTests, a_submission, a_tenant
from tests.database_clock import DatabaseClock
from tests.model.journal import INSTALL, RESET, UNGUARD

ACTORS: Final = 8
LEASE: Final = timedelta(seconds=60)
KEPT: Final = Kept(text=timedelta(hours=1), summary=timedelta(days=30))
SHORT: Final = 10
"""Characters of a text that is one chunk; a long one has two, planned as rows."""
LONG: Final = 100
_REMEMBERED: Final = 8
_KEYS: Final = ("a", "b", "c")
_DELIVERIES: Final[tuple[dict[str, Any] | None, ...]] = (
    None,
    {"email": []},
    {
        "webhook_url": "https://hooks.example.com/",
        "webhook_lane": "host:hooks.example.com",
        "email": ["a@example.com"],
    },
)


@dataclass(frozen=True, kw_only=True)
class Answer:
    """What an actor asked of the database, and what it was told."""

    act: str
    given: dict[UUID, Any] = field(default_factory=dict)
    told: dict[UUID, Any] = field(default_factory=dict)
    count: int | None = None


@dataclass(frozen=True)
class Reservation:
    job: NewJob
    key: str


@dataclass
class Actor:
    number: int
    world: "World"
    database: Database
    claims: list[Claim] = field(default_factory=list)
    reservations: list[Reservation] = field(default_factory=list)
    deliveries: list[ClaimedDelivery] = field(default_factory=list)
    seen: dict[UUID, tuple[int, str]] = field(default_factory=dict)
    """The last version and state that it read of a job."""

    def forget(self) -> None:
        for memory in (self.claims, self.reservations, self.deliveries, self.seen):
            memory.clear()

    def remember(self, claims: list[Claim]) -> None:
        self.claims = (self.claims + claims)[-_REMEMBERED:]

    @asynccontextmanager
    async def acting(
        self, act: str, *, together: bool = False
    ) -> AsyncIterator[Transaction]:
        """A connection for one act; `together`: in one transaction."""
        opened: AbstractAsyncContextManager[Transaction] = (
            self.database.transaction() if together else self.database.statement()
        )
        async with opened as tx:
            await tx.execute(
                text("SELECT set_config('model.act', :act, false)"), {"act": act}
            )
            yield tx


class World:
    def __init__(self, url: str, clock: DatabaseClock) -> None:
        self.clock = clock
        self.actors = [
            Actor(number, self, Database(url, pool_size=1, application=f"a{number}"))
            for number in range(ACTORS)
        ]
        self.watching = Database(url, pool_size=1, application="model")
        self.tenants: list[TenantForTests] = []
        self.known: list[tuple[UUID, UUID]] = []
        """Jobs that were admitted, each with its tenant."""
        self.answers: list[Answer] = []
        self._start = clock.now()
        self._next_id = 0

    async def open(self) -> None:
        for weight in (1, 1, 2):
            self.tenants.append(await a_tenant(self.watching, weight=weight))
        async with self.watching.transaction() as tx:
            await tx.execute(text(INSTALL))
            await tx.execute(
                text(
                    "INSERT INTO webhook_endpoint (id, tenant_id, url, secret)"
                    " VALUES (:id, :tenant, 'https://example.com/', 'x')"
                ),
                {"id": self.new_id(), "tenant": self.tenants[0].id},
            )

    async def reset(self) -> None:
        """As at the beginning, so that a walk begins anew."""
        for actor in self.actors:
            actor.forget()
        self.known.clear()
        self.answers.clear()
        self._next_id = 0
        self.clock.move_to(self._start)
        async with self.watching.transaction() as tx:
            for statement in RESET.split(";")[:-1]:
                await tx.execute(text(statement))

    async def unguard(self) -> None:
        """Drop what the database itself refuses: what is broken is then found alone."""
        async with self.watching.transaction() as tx:
            for statement in UNGUARD.split(";;"):
                await tx.execute(text(statement))

    async def close(self) -> None:
        for database in (self.watching, *(actor.database for actor in self.actors)):
            await database.close()

    def new_id(self) -> UUID:
        """In the order of their making, and the same in every walk of one seed."""
        self._next_id += 1
        return UUID(int=(0x0193 << 112) | (0x7 << 76) | (0x2 << 62) | self._next_id)

    def deadline(self, choice: Random) -> datetime:
        minutes = choice.choice((2, 30, 24 * 60, 72 * 60))
        return self.clock.now() + timedelta(minutes=minutes)

    def a_submission(self, choice: Random, *, reserved: bool = False) -> Submission:
        key = choice.choice((*_KEYS, None, None, None))
        key = choice.choice(_KEYS) if reserved else key
        return a_submission(
            choice.choice(self.tenants).id,
            id=self.new_id(),
            characters=choice.choice((SHORT, LONG, LONG)),
            tokens=choice.choice((1, 100, 100_000)),
            delivery=choice.choice(_DELIVERIES),
            metadata=choice.choice(({}, {"patient": "Ada"})),
            deadline=self.deadline(choice),
            idempotency_key=key,
            fingerprint=b"f" if key else None,
            created_at=self.clock.now(),
            reserved=reserved,
        )
