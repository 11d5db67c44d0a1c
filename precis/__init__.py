"""Precis for people: the typed client and the command line.

`from precis import Client` needs httpx and nothing else of ours than
`precis.client`; the command line may start and call everything below it.
"""

from precis.client.asynchronous import AsyncClient
from precis.client.blocking import Client
from precis.client.endpoint import Delivery, DeliveryAttempt, WebhookEndpoint
from precis.client.erasure import ErasedStore, Erasure
from precis.client.errors import (
    AnswerGarbled,
    Busy,
    Conflict,
    Forbidden,
    Gone,
    InvalidRequest,
    JobFailed,
    NoResult,
    NotFinished,
    NotFound,
    NotReachable,
    PrecisError,
    Refused,
    TooLarge,
    Unauthorized,
)
from precis.client.page import Page
from precis.client.problem import FieldProblem, Problem
from precis.client.retrying import Patience
from precis.client.summary import (
    Citation,
    Partial,
    Progress,
    Result,
    Routing,
    Section,
    Summary,
    Usage,
)

__all__ = [
    "AnswerGarbled",
    "AsyncClient",
    "Busy",
    "Citation",
    "Client",
    "Conflict",
    "Delivery",
    "DeliveryAttempt",
    "ErasedStore",
    "Erasure",
    "FieldProblem",
    "Forbidden",
    "Gone",
    "InvalidRequest",
    "JobFailed",
    "NoResult",
    "NotFinished",
    "NotFound",
    "NotReachable",
    "Page",
    "Partial",
    "Patience",
    "PrecisError",
    "Problem",
    "Progress",
    "Refused",
    "Result",
    "Routing",
    "Section",
    "Summary",
    "TooLarge",
    "Unauthorized",
    "Usage",
    "WebhookEndpoint",
]
