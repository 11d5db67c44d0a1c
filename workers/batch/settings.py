"""What the batch worker is told from outside."""

from datetime import timedelta

from pydantic import Field

from plumbing.settings import (
    BrokerSettings,
    DatabaseSettings,
    EngineSettings,
    MasterKeySettings,
    Span,
)


class WorkerSettings(
    DatabaseSettings, BrokerSettings, EngineSettings, MasterKeySettings
):
    worker_slots: int = Field(default=256, ge=1)
    """Jobs that this process may hold at once."""
    worker_threads: int = Field(default=16, ge=1)
    """Celery messages worked on at once; a thread only waits for its jobs."""
    worker_text_budget: int = Field(default=16_000_000, ge=1)
    """Code points of text in memory at once; one longer text still gets its turn."""
    engine_calls: int = Field(default=64, ge=1)
    """Calls in flight to each engine of the batch pool."""
    engine_call_limit: Span = timedelta(minutes=5)
    job_lease: Span = timedelta(seconds=60)
    job_soft_limit: Span = timedelta(minutes=14)
    """An attempt that takes longer hands the job back, with its chunks stored."""
    stop_grace: Span = timedelta(seconds=10)
    """How long jobs may go on after SIGTERM before they are handed back."""
