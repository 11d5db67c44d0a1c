"""The shapes of our answers, for the OpenAPI document.

Nothing is validated with these at run time: handlers answer with bytes they made
themselves. They are exact all the same (no further fields, null where a field may
be unknown), so that a test that compares answers with the document finds a drift.
"""

from typing import Annotated, Any, Final, Literal

from pydantic import BaseModel, ConfigDict, Field, JsonValue

Status = Literal["queued", "running", "succeeded", "failed", "cancelled", "expired"]
Time = Annotated[str, Field(json_schema_extra={"format": "date-time"})]
SummaryId = Annotated[
    str,
    Field(
        pattern=r"^sum_[0-9a-f]{32}$",
        examples=["sum_0199a1b2c3d47e8f9a0b1c2d3e4f5a6b"],
    ),
]
EndpointId = Annotated[str, Field(pattern=r"^we_[0-9a-f]{32}$")]
DeliveryId = Annotated[str, Field(pattern=r"^del_[0-9a-f]{32}$")]
Share = Annotated[float, Field(ge=0, le=1)]
Count = Annotated[int, Field(ge=0)]


class Shape(BaseModel):
    model_config = ConfigDict(extra="forbid")


class ErrorPointer(Shape):
    pointer: Annotated[
        str, Field(description="JSON pointer, or `?name` of a query parameter.")
    ]
    code: str
    expected: Annotated[
        str, Field(default="", description="What would be right, where we can say.")
    ]


class Problem(BaseModel):
    """A problem document (RFC 9457); `type` is a page that explains the code."""

    model_config = ConfigDict(extra="allow", title="Problem")

    type: Annotated[str, Field(examples=["/problems/not-found"])]
    title: str
    status: int | None
    detail: str | None
    instance: str | None
    code: Annotated[str, Field(pattern=r"^[a-z0-9_]+$", examples=["not_found"])]
    request_id: str | None
    errors: list[ErrorPointer]
    retryable: bool


class Routing(Shape):
    tier: Literal["realtime", "batch"]
    reason: str
    tokens: Count
    threshold: Count


class ProgressView(Shape):
    phase: Literal["waiting", "planning", "mapping", "merging", "done", "ended"]
    done: Count
    total: Count
    percent: Annotated[int, Field(ge=0, le=100)]


class Citation(BaseModel):
    """Which sentence of the text supports a sentence of the summary (offsets)."""

    model_config = ConfigDict(extra="allow")

    sentence_index: Count
    sentence_start: Count
    sentence_end: Count
    source_start: Count
    source_end: Count
    score: float


class Quality(Shape):
    coverage: Annotated[Share, Field(description="Share of the text that was read.")]


class Usage(Shape):
    prompt_tokens: int | None
    completion_tokens: int | None
    cost: None


class Links(Shape):
    self: str
    result: str
    partial: str
    cancel: str


class SummaryView(Shape):
    """A summary and the job that makes it; what is not known yet is null."""

    model_config = ConfigDict(title="Summary")

    id: SummaryId
    object: Literal["summary"]
    status: Status
    version: Count
    deadline: Time
    cancel_requested: bool
    tier: Literal["realtime", "batch"]
    routing: Routing
    created_at: Time
    started_at: Time | None
    finished_at: Time | None
    attempt: Count
    progress: ProgressView
    eta: None
    summary: str | None
    citations: list[Citation] | None
    quality: Quality | None
    usage: Usage | None
    provenance: dict[str, JsonValue] | None
    warnings: list[str]
    error: Problem | None
    metadata: dict[str, str]
    links: Links


class SummaryList(Shape):
    object: Literal["list"]
    data: list[SummaryView]
    has_more: bool
    next_cursor: str | None


class SummaryResult(Shape):
    id: SummaryId
    summary: str
    citations: list[Citation] | None
    quality: Quality
    usage: Usage | None
    provenance: dict[str, JsonValue] | None
    warnings: list[str]


class Section(Shape):
    """The summary of one finished piece of the text, with its place in it."""

    index: Count
    start: Count
    end: Count
    summary: str


class PartialSummary(Shape):
    id: SummaryId
    status: Status
    complete: bool
    sections: list[Section]


class WebhookEndpoint(Shape):
    id: EndpointId
    object: Literal["webhook_endpoint"]
    url: str
    description: str
    status: Literal["enabled", "disabled"]
    disabled_reason: str | None
    created_at: Time
    rotated_at: Time | None


class WebhookEndpointWithSecret(WebhookEndpoint):
    """The secret is shown in this answer and never again."""

    secret: Annotated[str, Field(pattern=r"^whsec_")]


class WebhookEndpointList(Shape):
    object: Literal["list"]
    data: list[WebhookEndpoint]
    has_more: bool
    next_cursor: str | None


class DeliveryAttempt(Shape):
    number: Count
    started_at: Time
    finished_at: Time
    code: int | None
    error: str | None


class Delivery(Shape):
    id: DeliveryId
    object: Literal["delivery"]
    event_id: str
    event_type: str
    summary_id: SummaryId
    kind: Literal["webhook", "email"]
    endpoint_id: EndpointId | None
    receiver: str | None
    status: Literal[
        "due", "sending", "delivered", "exhausted", "blocked", "refused", "cancelled"
    ]
    next_at: Time | None
    replay_of: DeliveryId | None
    created_at: Time
    finished_at: Time | None
    attempts: list[DeliveryAttempt]


class DeliveryList(Shape):
    object: Literal["list"]
    data: list[Delivery]
    has_more: bool
    next_cursor: str | None


class Health(Shape):
    status: Literal["ok"]


SUMMARY_LINKS: Final[dict[str, Any]] = {
    operation: {
        "operationId": operation,
        "parameters": {"summary_id": "$response.body#/id"},
    }
    for operation in ("get_summary", "get_result", "get_partial", "cancel_summary")
}
"""Where the id of an answer leads, for readers and clients of the document."""
