"""What a caller may ask for in POST /v1/summaries: the shape, checked field by field.

The models say what the JSON may look like and are what the OpenAPI document shows;
`read_submission` adds the rules of text and deadline. Whether receivers exist and may
be written to is `receivers`' matter, the tier `routing`'s.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Annotated, Any, Literal

from pydantic import ConfigDict, Discriminator, Field, Tag

from gateway.ordering.routing import AskedTier
from gateway.problems.answers import field_refused
from gateway.requests.request_models import TAG_MARK, RequestPart, read_part
from gateway.requests.times import parse_time
from jobs.lifecycle import DEFAULT_DEADLINE, MAX_DEADLINE
from jobs.summarizing.cleaning import looks_binary, prepare, visible
from jobs.summarizing.lengths import LEAST_WORDS, MOST_WORDS

NamedLength = Literal["short", "medium", "long"]

_GLANCE = 1_000  # code points: nearly every text shows something here
_NAMED = f"{TAG_MARK}named"
_WORDS = f"{TAG_MARK}words"
_URL = f"{TAG_MARK}url"
_ENDPOINT = f"{TAG_MARK}endpoint"


def _kind_of_length(value: Any) -> str:
    return _WORDS if isinstance(value, int) else _NAMED


def _kind_of_webhook(value: Any) -> str:
    return _ENDPOINT if isinstance(value, dict | EndpointName) else _URL


class Options(RequestPart):
    length: Annotated[
        Annotated[NamedLength, Tag(_NAMED)]
        | Annotated[int, Field(ge=LEAST_WORDS, le=MOST_WORDS), Tag(_WORDS)],
        Discriminator(_kind_of_length),
        Field(description="A named length, or a number of words."),
    ] = "medium"
    citations: bool = False


class EndpointName(RequestPart):
    endpoint_id: str


class DeliveryWish(RequestPart):
    webhook: (
        Annotated[
            Annotated[str, Tag(_URL)] | Annotated[EndpointName, Tag(_ENDPOINT)],
            Discriminator(_kind_of_webhook),
        ]
        | None
    ) = None
    email: list[str] = Field(default_factory=list, max_length=10)


class SubmissionBody(RequestPart):
    """The JSON of a request for a summary."""

    model_config = ConfigDict(title="SummaryRequest")

    text: str
    options: Options = Options()
    tier: AskedTier = "auto"
    deadline: Annotated[
        str | None,
        Field(
            description="RFC 3339; at most 72 hours ahead. 24 hours where absent.",
            json_schema_extra={"format": "date-time"},
        ),
    ] = None
    delivery: Annotated[
        DeliveryWish | None,
        Field(description="Who is told of the end; every enabled endpoint if absent."),
    ] = None
    metadata: dict[
        Annotated[str, Field(min_length=1, max_length=64)],
        Annotated[str, Field(max_length=512)],
    ] = Field(default_factory=dict, max_length=16)


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """A request that makes sense in itself."""

    text: str
    options: Options
    tier: AskedTier
    deadline: datetime
    delivery: DeliveryWish | None
    metadata: dict[str, str]


def read_submission(document: Any, *, now: datetime, max_characters: int) -> Wanted:
    """What the caller wants, or `RequestRefused` with a pointer to each fault."""
    body = read_part(SubmissionBody, document)
    _check_text(body.text, max_characters=max_characters)
    return Wanted(
        text=body.text,
        options=body.options,
        tier=body.tier,
        deadline=_read_deadline(body.deadline, now=now),
        delivery=body.delivery,
        metadata=body.metadata,
    )


def _check_text(text: str, *, max_characters: int) -> None:
    if len(text) > max_characters:
        figures = {"limit": max_characters, "size": len(text)}
        raise field_refused("text_too_long", "/text", **figures)
    if not (_shows(text[:_GLANCE]) or _shows(text)):
        raise field_refused("text_empty", "/text")
    if looks_binary(text):
        raise field_refused("not_text", "/text")


def _shows(text: str) -> bool:
    """Whether anything is left to see of what will stand in the prompt."""
    return visible(prepare(text).text)


def _read_deadline(shown: str | None, *, now: datetime) -> datetime:
    if shown is None:
        return now + DEFAULT_DEADLINE
    deadline = parse_time(shown)
    if deadline is None:
        raise field_refused("invalid_value", "/deadline")
    if not timedelta(0) < deadline - now <= MAX_DEADLINE:
        raise field_refused("deadline_out_of_range", "/deadline")
    return deadline
