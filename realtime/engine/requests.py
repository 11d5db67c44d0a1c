"""What callers may send, checked; anything else is a `BadRequest`.

As vLLM does, fields that the engine has no use for (temperature, seed, stop …) are
taken and ignored: its answer is always the same for the same text.
"""

from typing import Annotated, Literal, TypeVar

from pydantic import BaseModel, Field, ValidationError, model_validator

from realtime.engine.faults import BadRequest


class TextPart(BaseModel):
    type: Literal["text"]
    text: str


class ChatMessage(BaseModel):
    role: str
    content: str | list[TextPart] | None = None

    @property
    def text(self) -> str:
        if isinstance(self.content, list):
            return "\n".join(part.text for part in self.content)
        return self.content or ""


Messages = Annotated[list[ChatMessage], Field(min_length=1)]
TokenLimit = Annotated[int, Field(ge=1)]


class StreamOptions(BaseModel):
    include_usage: bool = False


class ChatRequest(BaseModel):
    model: str | None = None
    messages: Messages
    max_tokens: TokenLimit | None = None
    max_completion_tokens: TokenLimit | None = None
    n: Literal[1] | None = None
    stream: bool | None = None
    stream_options: StreamOptions | None = None

    @model_validator(mode="after")
    def _check_stream_options(self) -> "ChatRequest":
        if self.stream_options is not None and not self.stream:
            raise ValueError("stream_options are allowed only with stream")
        return self

    @property
    def token_limit(self) -> int | None:
        return self.max_completion_tokens or self.max_tokens

    @property
    def wants_usage(self) -> bool:
        return self.stream_options is not None and self.stream_options.include_usage


class TokenizeRequest(BaseModel):
    model: str | None = None
    prompt: str | None = None
    messages: Messages | None = None

    @model_validator(mode="after")
    def _check_one_is_given(self) -> "TokenizeRequest":
        if (self.prompt is None) == (self.messages is None):
            raise ValueError("either prompt or messages is expected")
        return self


Body = TypeVar("Body", bound=BaseModel)


def read_body(kind: type[Body], body: bytes) -> Body:
    try:
        return kind.model_validate_json(body)
    except ValidationError as error:
        raise BadRequest(
            _describe(error)
        ) from None  # the cause holds the caller's text


def _describe(error: ValidationError) -> str:
    problems = error.errors(
        include_url=False, include_context=False, include_input=False
    )
    return "; ".join(
        ".".join(str(step) for step in ["body", *problem["loc"]])
        + f": {problem['msg']}"
        for problem in problems[:5]
    )
