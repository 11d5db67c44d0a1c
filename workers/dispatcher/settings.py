"""What the dispatcher is told from outside."""

from datetime import timedelta

from plumbing.settings import BrokerSettings, DatabaseSettings, KafkaSettings, Span


class DispatcherSettings(DatabaseSettings, KafkaSettings, BrokerSettings):
    reconcile_interval: Span = timedelta(seconds=1)
    """How often lapsed leases, ended pauses and passed deadlines are looked for."""
    hint_patience: Span = timedelta(seconds=5)
    """How long due jobs and free room may meet before hints count as lost."""
    job_lease: Span = timedelta(seconds=60)
    """The workers' lease; the first retry after a lost worker is scaled with it."""
