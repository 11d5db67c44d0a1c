"""Every way in which the gateway says no: one table from code to status and remedy.

An answer's `detail` is the remedy from this table or names a limit, never something
that a caller sent. `/problems/{slug}` shows the same words. `answers` turns
exceptions into answers; why a job failed is told by `jobs.messages.problem`.
"""

from types import MappingProxyType
from typing import Final

from gateway.problems.request_problems import REQUEST_PROBLEMS, Problem
from jobs.errors import (
    EndpointUnknown,
    JobError,
    JobNotFound,
    KeyOutstanding,
    KeyReused,
    LeaseLost,
    NoResult,
    NotFinished,
    ResultGone,
)
from jobs.store.delivery_store import DeliveryUnknown, ReplayRefused
from jobs.store.endpoint_store import TooManyEndpoints
from jobs.store.erasure_store import ErasureUnknown

_KEYS: Final = {
    "idempotency_key_invalid": Problem(
        400,
        "The Idempotency-Key is not allowed",
        "Send one of 1 to 255 printable ASCII characters.",
    ),
    "key_reused": Problem(
        422,
        "The Idempotency-Key came before with another body",
        "Use a new key for a new request.",
    ),
    "key_outstanding": Problem(
        409,
        "The first call with this key has not ended yet",
        "Repeat the call after `Retry-After`.",
        retryable=True,
    ),
}

_RESULTS: Final = {
    "not_finished": Problem(
        409,
        "There is no summary yet",
        "Ask again after `Retry-After`.",
        retryable=True,
    ),
    "no_result": Problem(
        409,
        "The job ended without a summary",
        "Read why in the job's `error`; /partial has the finished sections.",
    ),
    "gone": Problem(410, "The summary is gone", "It was erased, or its time is over."),
}

_CAPACITY: Final = {
    "realtime_unavailable": Problem(
        503,
        "The realtime tier has no room now",
        "Repeat after `Retry-After`, or send `tier: auto`. Nothing was stored.",
        retryable=True,
    ),
    "realtime_paused": Problem(
        503,
        "The realtime tier is paused",
        "Repeat after `Retry-After`, or send `tier: auto`. Nothing was stored.",
        retryable=True,
    ),
    "model_output_invalid": Problem(
        503,
        "The model's answer was unusable",
        "Repeat after `Retry-After`, or send `tier: auto`. Nothing was stored.",
        retryable=True,
    ),
    "database_unavailable": Problem(
        503,
        "Jobs cannot be stored or read now",
        "Repeat after `Retry-After` with the same Idempotency-Key.",
        retryable=True,
    ),
    "quota_exceeded": Problem(
        429,
        "As many of your jobs wait as may wait",
        "Repeat after `Retry-After`, when some have begun. Nothing was stored.",
        retryable=True,
    ),
    "temporary_reduced_capacity": Problem(
        503,
        "As much waits as the service takes on",
        "Repeat after `Retry-After`. Nothing was stored.",
        retryable=True,
    ),
    "storage_full": Problem(
        503,
        "There is no room to store jobs now",
        "Repeat after `Retry-After`. Nothing was stored; reading works.",
        retryable=True,
    ),
    "internal_error": Problem(
        500,
        "Something went wrong on our side",
        "It was logged under the request id. Repeat with the same Idempotency-Key.",
        retryable=True,
    ),
}

PROBLEMS: Final = MappingProxyType(REQUEST_PROBLEMS | _KEYS | _RESULTS | _CAPACITY)

CODE_OF_ERROR: Final[dict[type[JobError], str]] = {
    JobNotFound: "not_found",
    KeyReused: "key_reused",
    KeyOutstanding: "key_outstanding",
    NotFinished: "not_finished",
    NoResult: "no_result",
    ResultGone: "gone",
    EndpointUnknown: "not_found",
    DeliveryUnknown: "not_found",
    ErasureUnknown: "not_found",
    TooManyEndpoints: "too_many_endpoints",
    ReplayRefused: "not_replayable",
    LeaseLost: "internal_error",  # a worker's error; no endpoint meets it
}
