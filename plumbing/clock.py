"""Where Python asks what time it is, so that a test can answer instead.

Only for dates that are computed here (signatures, Retry-After, log lines). Leases,
deadlines and schedules are judged by the database's clock alone: two processes never
agree on the time, one database always does.
"""

from datetime import UTC, datetime
from typing import Protocol


class Clock(Protocol):
    def now(self) -> datetime:
        """Return an aware time in UTC."""


class SystemClock:
    def now(self) -> datetime:
        return datetime.now(UTC)
