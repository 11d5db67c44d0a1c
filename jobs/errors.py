"""Why something asked of a job cannot be done.

    JobError
    ├── JobNotFound          no such job, or not this tenant's
    ├── KeyReused            the idempotency key came before with another body
    ├── KeyOutstanding       the realtime call of that key has not ended yet
    ├── NotFinished          a result was asked for before there is one
    ├── NoResult             the job ended without a summary
    ├── ResultGone           the summary was erased or its time is over
    ├── EndpointUnknown      no such webhook endpoint, or not this tenant's
    └── LeaseLost            another worker holds the job, or it has ended: stop

The gateway turns each into a problem document (`gateway/problems.py`); a test
walks the subclasses and fails for a missing row.
"""

from datetime import timedelta


class JobError(Exception):
    """A request about a job that cannot be granted."""


class JobNotFound(JobError):
    pass


class KeyReused(JobError):
    pass


class KeyOutstanding(JobError):
    def __init__(self, *, retry_after: timedelta) -> None:
        super().__init__("the first call with this key has not ended yet")
        self.retry_after = retry_after


class NotFinished(JobError):
    pass


class NoResult(JobError):
    def __init__(self, *, state: str, error_code: str | None) -> None:
        super().__init__(f"the job ended as {state}")
        self.state = state
        self.error_code = error_code


class ResultGone(JobError):
    pass


class EndpointUnknown(JobError):
    pass


class LeaseLost(JobError):
    pass
