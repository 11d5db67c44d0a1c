"""What the dispatcher is told from outside."""

from datetime import timedelta
from typing import Annotated

from pydantic import Field

from plumbing.settings import (
    BrokerSettings,
    DatabaseSettings,
    KafkaSettings,
    Keeping,
    Span,
)


class DispatcherSettings(DatabaseSettings, KafkaSettings, BrokerSettings):
    reconcile_interval: Span = timedelta(seconds=1)
    """How often lapsed leases, ended pauses and passed deadlines are looked for."""
    hint_patience: Span = timedelta(seconds=5)
    """How long due jobs and free room may meet before hints count as lost."""
    job_lease: Span = timedelta(seconds=60)
    """The workers' lease; the first retry after a lost worker is scaled with it."""
    retain_text: Annotated[Keeping, Field(le=timedelta(days=30))] = timedelta(hours=1)
    """How long a text is kept after its job's ending."""
    retain_summary: Keeping = timedelta(days=30)
    """How long summary, sections, citations and metadata are kept after the ending."""
