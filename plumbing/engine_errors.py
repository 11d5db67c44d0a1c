"""What can go wrong between us and a model engine, sorted by what may be done.

    EngineError
    ├── EngineUnavailable   another try, later or elsewhere, may succeed
    │   ├── PoolSaturated   every healthy engine has all it may have in flight
    │   └── PoolDown        no engine may be asked at all
    ├── EngineRefused       the request is wrong; the same one will be refused again
    ├── EngineGarbled       the answer is not what the API promises
    └── ModelUnclear        the engines do not serve one model; somebody must decide

Messages name facts of ours (a status, a kind of fault). They never quote the engine's
answer, which may quote the prompt.
"""

from datetime import timedelta


class EngineError(Exception):
    """A call to an engine did not give an answer that can be used."""


class EngineUnavailable(EngineError):
    """The engine is away, slow, or has no room.

    `was_reached` is False when no connection was made: then the engine has seen
    nothing of the request, and asking another one repeats no work.
    """

    def __init__(
        self,
        reason: str,
        *,
        retry_after: timedelta | None = None,
        was_reached: bool = True,
    ) -> None:
        super().__init__(reason)
        self.reason = reason
        self.retry_after = retry_after
        self.was_reached = was_reached


class PoolSaturated(EngineUnavailable):
    """The pool is healthy and full."""

    def __init__(self) -> None:
        super().__init__("all engines are busy", was_reached=False)


class PoolDown(EngineUnavailable):
    """No breaker of the pool lets a call through."""

    def __init__(self) -> None:
        super().__init__("all engines are away", was_reached=False)


class EngineRefused(EngineError):
    """The engine calls our request wrong: unknown model, too long, bad key."""

    def __init__(self, status: int) -> None:
        super().__init__(f"status {status}")
        self.status = status


class EngineGarbled(EngineError):
    """The engine answered with something else than the API's shapes."""


class ModelUnclear(EngineError):
    """The engines of a pool serve no model, several, or not the one asked for."""
