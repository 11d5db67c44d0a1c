"""The peer of acceptance: FastAPI and SQLAlchemy as their tutorials show them.

`python -m benchmarks.bare_acceptor PORT`: validates a body, inserts one row, commits,
answers 202. No key, no tenant, no encryption, no outbox, no fair order.
"""

import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from uuid import UUID, uuid4

import uvicorn
from fastapi import FastAPI
from pydantic import BaseModel
from sqlalchemy.ext.asyncio import async_sessionmaker, create_async_engine
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column

from plumbing.database import async_url
from plumbing.settings import DatabaseSettings, read_settings

_POOL = 16


class _Base(DeclarativeBase):
    pass


class AcceptedRow(_Base):
    __tablename__ = "bench_accepted"

    id: Mapped[UUID] = mapped_column(primary_key=True, default=uuid4)
    state: Mapped[str] = mapped_column(default="queued")
    body: Mapped[str]
    created_at: Mapped[datetime] = mapped_column(
        default=lambda: datetime.now(UTC).replace(tzinfo=None)
    )


class AcceptRequest(BaseModel):
    text: str
    tier: str


class Accepted(BaseModel):
    id: UUID
    status: str


def create_app(database_url: str) -> FastAPI:
    engine = create_async_engine(async_url(database_url), pool_size=_POOL)
    session = async_sessionmaker(engine, expire_on_commit=False)

    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        async with engine.begin() as connection:
            await connection.run_sync(_Base.metadata.create_all)
        yield
        await engine.dispose()

    app = FastAPI(lifespan=lifespan)

    @app.post("/v1/summaries", status_code=202)
    async def accept(request: AcceptRequest) -> Accepted:
        row = AcceptedRow(body=request.text)
        async with session() as transaction:
            transaction.add(row)
            await transaction.commit()
        return Accepted(id=row.id, status=row.state)

    return app


if __name__ == "__main__":
    settings = read_settings(DatabaseSettings)
    uvicorn.run(
        create_app(settings.database_url.get_secret_value()),
        port=int(sys.argv[1]),
        access_log=False,
        log_level="warning",
    )
